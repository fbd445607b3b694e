"""TFLite through onnx2tf: with a fake environment, and with the real one if it already exists."""

import shutil
import sys
from pathlib import Path

import onnx
import pytest

from edgec.artifact.cache import VARIABLE, cache_folder
from edgec.backends.tflite.via.environment import PYTHON_VARIABLE, VERSION
from edgec.compiler.build import BuildReport, build
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest
from edgec.ir.model import OPSET
from edgec.measure.inspection import inspect

TEXT = f"""
<ir_version: 10, opset_import: ["" : {OPSET}]>
g (float[1,3,8,6] IMAGE, float[1,3,8,6] DEPTH) => (float[1,2,8,6] MAP, float[1,2] MEAN)
<float[2,3,1,1] w = {{1, 2, 3, 4, 5, 6}}>
{{
  both = Mul(IMAGE, DEPTH)
  MAP = Conv(both, w)
  axes = Constant<value_ints = [2, 3]>()
  MEAN = ReduceMean<keepdims = 0>(MAP, axes)
}}
"""
STAND_IN = """#!{python}
import shutil, sys
arguments = sys.argv[3:]
open({record!r}, "w").write(" ".join(arguments[arguments.index("-n") + 1 :]))
out = arguments[arguments.index("-o") + 1]
import os
os.makedirs(out)
shutil.copy({made!r}, os.path.join(out, "model_float32.tflite"))
"""


def _source(path: Path, names: dict[str, str]) -> SourceRequest:
    """The model with the given names in its interface."""
    text = TEXT
    for placeholder, name in names.items():
        text = text.replace(placeholder, name)
    onnx.save(onnx.parser.parse_model(text), path)
    return SourceRequest(str(path))


ASKED = {"IMAGE": "image", "DEPTH": "depth", "MAP": "map", "MEAN": "mean"}
CHANGED = {"IMAGE": "p", "DEPTH": "q", "MAP": "r", "MEAN": "s"}


def _stand_in(folder: Path, script: str) -> None:
    python = folder / f"onnx2tf-{VERSION}" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(script)
    python.chmod(0o755)


def _build(source: SourceRequest, out: Path, *layouts: str) -> BuildReport:
    return build(source, ["raspberry-pi"], BuildOptions(out=out, io_layout=layouts, via="onnx2tf"), lambda line: None)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which onnx2tf's environment copies a prepared file with other names and one channels-last input."""
    plain = _source(tmp_path / "plain.onnx", CHANGED)
    options = BuildOptions(out=tmp_path / "plain", io_layout=("p=nhwc",))
    (made,) = build(plain, ["raspberry-pi"], options, lambda line: None).built
    file = made.folder / made.manifest.artifact.path
    script = STAND_IN.format(python=sys.executable, record=str(tmp_path / "arguments"), made=str(file))
    _stand_in(tmp_path / "cache", script)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path


def test_names_layout_and_manifest_are_as_of_our_own(environment: Path) -> None:
    (built,) = _build(_source(environment / "m.onnx", ASKED), environment / "out", "image=nhwc").built
    manifest = built.manifest
    assert manifest.accuracy.status == "passed"
    assert manifest.tools["onnx2tf"] == VERSION
    assert manifest.graph.ops["CONV_2D"] == 1
    assert manifest.graph.macs == 8 * 6 * 2 * 3
    assert manifest.placement is not None
    assert (environment / "arguments").read_text() == "-kat depth"
    found = inspect(built.folder / manifest.artifact.path)
    assert {f.name: f.shape for f in found.inputs} == {"image": (1, 8, 6, 3), "depth": (1, 3, 8, 6)}
    assert {f.name: f.shape for f in found.outputs} == {"map": (1, 2, 8, 6), "mean": (1, 2)}
    assert found.metadata["edgec_channels_last"] == "image"


def test_an_output_that_it_cannot_turn_is_refused(environment: Path) -> None:
    report = _build(_source(environment / "m.onnx", ASKED), environment / "out", "image=nhwc", "map=nhwc")
    assert [d.code for d in report.errors] == ["E0412"]
    assert "rejected by `onnx2tf-layout`" in report.errors[0].notes


def test_its_own_words_are_told_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(tmp_path / "cache", "#!/bin/sh\necho unsupported operator\nexit 1\n")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    report = _build(_source(tmp_path / "m.onnx", ASKED), tmp_path / "out")
    assert [(d.code, d.notes) for d in report.errors] == [("E0501", ("onnx2tf says: unsupported operator",))]
    assert not list((tmp_path / "out").rglob("*.tflite"))


def test_a_python_that_cannot_make_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no venv here >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv(PYTHON_VARIABLE, str(broken))
    report = _build(_source(tmp_path / "m.onnx", ASKED), tmp_path / "out")
    assert [(d.code, d.notes) for d in report.errors] == [("E0502", ("no venv here",))]
    assert not list((tmp_path / "cache").iterdir())


def test_it_is_for_tflite_alone(tmp_path: Path) -> None:
    source = _source(tmp_path / "m.onnx", ASKED)
    with pytest.raises(EdgecError, match="not for Core ML"):
        build(source, ["iphone"], BuildOptions(out=tmp_path, via="onnx2tf"), lambda line: None)
    with pytest.raises(EdgecError, match="not for TFLite"):
        build(source, ["raspberry-pi"], BuildOptions(out=tmp_path, via="other"), lambda line: None)


@pytest.mark.skipif(
    not (cache_folder() / f"onnx2tf-{VERSION}").is_dir(), reason="onnx2tf's environment was not made on this machine"
)
def test_the_real_one(tmp_path: Path) -> None:
    (built,) = _build(_source(tmp_path / "m.onnx", ASKED), tmp_path / "out").built
    assert built.manifest.accuracy.status == "passed"
    shutil.rmtree(tmp_path / "out")
