"""Complete builds into folders that are not empty: with a user's files, a good artifact, an emitter's leftovers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgec.artifact.output import foreign_files
from edgec.compiler.build import Built, build
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError, Interrupted
from edgec.frontend.request import SourceRequest
from edgec.frontend.samples.inputs import InputSpec
from tests import ROOT

MODELS = ROOT / "models.py"
REQUEST = SourceRequest(f"{MODELS}:NoInputs", (InputSpec.parse("image=1x3x4x4"),), "tiny")
MISSED = ("accept.min_psnr_db=1000", "numerics.float32=ranges")


def built(out: Path, target: str = "iphone", settings: tuple[str, ...] = (), emit: tuple[str, ...] = ()) -> Built:
    options = BuildOptions(out=out, settings=settings, emit=emit)
    report = build(REQUEST, [target], options, lambda step: None)
    assert not report.errors
    return report.built[0]


def test_a_failed_check_keeps_the_good_artifact(tmp_path: Path) -> None:
    good = built(tmp_path)
    before = (good.folder / "manifest.json").read_bytes()
    failed = built(tmp_path, settings=MISSED)
    assert failed.failures
    assert failed.folder == tmp_path / "tiny" / "iphone.failed"
    assert (failed.folder / failed.manifest.artifact.path).exists()
    assert (good.folder / "manifest.json").read_bytes() == before
    built(tmp_path)
    assert [p.name for p in (tmp_path / "tiny").iterdir()] == ["iphone"]


@pytest.mark.parametrize("target", ["iphone", "android", "rtx"])
def test_the_manifest_lists_all_that_a_build_writes(tmp_path: Path, target: str) -> None:
    made = built(tmp_path, target, emit=("onnx", "program"))
    assert foreign_files(made.folder) == []
    assert f"{made.manifest.name}.program.txt" in made.manifest.files
    assert all((made.folder / name).is_file() for name in made.manifest.files)


def test_an_app_project_is_refused_before_the_export(tmp_path: Path) -> None:
    own = tmp_path / "tiny" / "android" / "MainActivity.kt"
    own.parent.mkdir(parents=True)
    own.write_text("class MainActivity")
    steps: list[str] = []
    with pytest.raises(EdgecError) as caught:
        build(REQUEST, ["android"], BuildOptions(out=tmp_path), steps.append)
    assert caught.value.diagnostics[0].code == "E0111"
    assert steps == []
    assert own.read_text() == "class MainActivity"


def test_ctrl_c_tells_what_was_written(tmp_path: Path) -> None:
    def stop_at_the_second(step: str) -> None:
        if step.startswith("android"):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        build(REQUEST, ["iphone", "android"], BuildOptions(out=tmp_path), stop_at_the_second)
    assert caught.value.written == (str(tmp_path / "tiny" / "iphone"),)
    assert [p.name for p in (tmp_path / "tiny").iterdir()] == ["iphone"]


MAKEFILE = """
build/tiny/iphone/manifest.json: changed
\t{python} -m edgec build {models}:NoInputs --name tiny --target iphone --input image=1x3x4x4 {settings}
"""


def test_make_is_not_content_with_a_failed_check(tmp_path: Path) -> None:
    (tmp_path / "changed").write_text("")

    def make(settings: str) -> int:
        text = MAKEFILE.format(python=sys.executable, models=MODELS, settings=settings)
        (tmp_path / "Makefile").write_text(text)
        return subprocess.run(["make"], cwd=tmp_path, capture_output=True, env=dict(os.environ), check=False).returncode

    strict = " ".join(f"--set {s}" for s in MISSED)
    assert make(strict) != 0
    assert make(strict) != 0
    assert make("") == 0
    assert make(strict) == 0  # up to date


TELEMETRY = """
import edgec
import onnxruntime as ort
from onnx import helper as h
values = [h.make_tensor_value_info(name, 1, [2]) for name in "xy"]
graph = h.make_graph([h.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
ort.InferenceSession(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=9).SerializeToString())
"""


def test_onnx_runtime_writes_no_device_id(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment = {**kept, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", TELEMETRY], env=environment, check=True)
    assert list(tmp_path.rglob("*")) == []
