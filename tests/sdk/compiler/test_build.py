"""Complete builds: every model for every target, checked independently, reproducible; and failures."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import edgec
from edgec.artifact.manifest import read_manifest
from edgec.compiler.build import BuildReport, build
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest
from tests import ROOT, models

MODELS = ROOT / "models.py"
NAMES = ("mobilenet", "resnet", "bert", "unet", "activations", "window_attention")


def silent(step: str) -> None:
    pass


def run(name: str, targets: list[str], out: Path, **options: object) -> BuildReport:
    return build(SourceRequest(f"{MODELS}:{name}"), targets, BuildOptions(out=out, **options), silent)


def eager(name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    torch.manual_seed(0)
    module, inputs = getattr(models, name)()
    with torch.no_grad():
        result = module(*inputs)
    values = list(result.values()) if isinstance(result, dict) else [result]
    return [x.numpy() for x in inputs], [y.numpy() for y in values]


def relative(a: np.ndarray, b: np.ndarray) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(np.float64) - b).max() / np.abs(a).max())


@pytest.mark.parametrize("name", NAMES)
def test_all_targets_from_one_export(name: str, tmp_path: Path) -> None:
    report = run(name, ["iphone", "android", "rtx"], tmp_path)
    assert not report.errors
    assert [b.manifest.accuracy.status for b in report.built] == ["passed"] * 3
    for built in report.built:
        manifest = read_manifest(built.folder / "manifest.json")
        assert (built.folder / manifest.artifact.path).exists()
        assert manifest.latency[0].kind == "predicted"
        assert manifest.latency[0].low_ms < manifest.latency[0].p50_ms < manifest.latency[0].high_ms
    check_with_litert(name, tmp_path / name / "android" / f"{name}.tflite")


def check_with_litert(name: str, path: Path) -> None:
    """An independent check: LiteRT alone runs the file, with inputs set by position."""
    from ai_edge_litert.interpreter import Interpreter

    inputs, expected = eager(name)
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    actual = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
    assert len(actual) == len(expected)
    for a, b in zip(expected, actual, strict=True):
        assert relative(a, b) < 1e-4


def test_float32_core_ml_is_tight(tmp_path: Path) -> None:
    settings = ("numerics.compute=float32", "numerics.weights=float32", "accept.max_rel=1e-4")
    (built,) = run("unet", ["iphone"], tmp_path, settings=settings).built
    assert built.manifest.accuracy.status == "passed"
    assert built.manifest.accuracy.max_rel < 1e-4


def test_outputs_keep_the_dictionary_keys(tmp_path: Path) -> None:
    (built,) = run("unet", ["android"], tmp_path).built
    assert [o.name for o in built.manifest.outputs] == ["masks", "score"]


def test_float16_weights_halve_the_file(tmp_path: Path) -> None:
    full, half = run("resnet", ["android", "android-fp16"], tmp_path).built
    assert half.manifest.accuracy.status == "passed"
    assert half.manifest.artifact.bytes < 0.6 * full.manifest.artifact.bytes


@pytest.mark.parametrize("target", ["iphone", "android"])
def test_two_builds_give_the_same_bytes(target: str, tmp_path: Path) -> None:
    first, second = (run("mobilenet", [target], tmp_path / part).built[0] for part in ("a", "b"))
    assert first.manifest.artifact.sha256 == second.manifest.artifact.sha256


def test_two_engines_come_from_the_same_onnx(tmp_path: Path) -> None:
    folders = [run("unet", ["rtx"], tmp_path / part).built[0].folder for part in ("a", "b")]
    assert (folders[0] / "unet.onnx").read_bytes() == (folders[1] / "unet.onnx").read_bytes()


def test_every_pass_keeps_the_numbers(tmp_path: Path) -> None:
    assert run("activations", ["android"], tmp_path, check_passes=True).built


def test_refusals_come_together_with_their_places(tmp_path: Path) -> None:
    report = run("float8", ["android", "iphone"], tmp_path)
    assert not report.built
    assert {d.code for d in report.errors} == {"E0412"}
    assert {t for d in report.errors for t in ("android", "iphone") if t in d.message} == {"android", "iphone"}
    for diagnostic in report.errors:
        assert "Cast" in diagnostic.message
        assert diagnostic.place.file == str(MODELS)
        assert diagnostic.place.module == "neck"
    assert not list(tmp_path.rglob("manifest.json"))


def test_emitted_intermediates(tmp_path: Path) -> None:
    (built,) = run("activations", ["android"], tmp_path, emit=("onnx", "program")).built
    assert (built.folder / "activations.onnx").stat().st_size > 0
    assert "CONV_2D" in (built.folder / "activations.program.txt").read_text()


@pytest.mark.parametrize(
    ("ref", "target", "code"),
    [
        ("missing.py:x", "android", "E0102"),
        ("no.such.package:x", "android", "E0102"),
        (f"{MODELS}:mobilent", "android", "E0103"),
        (f"{MODELS}:not_a_model", "android", "E0103"),
        (f"{MODELS}:NoInputs", "android", "E0107"),
        (f"{MODELS}:broken", "android", "E0201"),
        (f"{MODELS}:mobilenet", "andriod", "E0104"),
        ("model.pkl", "android", "E0204"),
        ("missing.onnx", "android", "E0102"),
    ],
)
def test_wrong_requests(ref: str, target: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(EdgecError) as caught:
        build(SourceRequest(ref), [target], BuildOptions(out=tmp_path), silent)
    assert caught.value.diagnostics[0].code == code


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"not a model at all", bytes(range(256))])
def test_corrupt_onnx(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(EdgecError) as caught:
        build(SourceRequest(str(path)), ["android"], BuildOptions(out=tmp_path), silent)
    assert caught.value.diagnostics[0].code in ("E0203", "E0301")


def test_an_onnx_source_builds(tmp_path: Path) -> None:
    (made,) = run("activations", ["android"], tmp_path, emit=("onnx",)).built
    assert made
    module, inputs = models.activations()
    path = tmp_path / "net.onnx"
    torch.onnx.export(module, inputs, str(path), dynamo=True, opset_version=18, verbose=False, external_data=False)
    report = build(SourceRequest(str(path)), ["android", "iphone"], BuildOptions(out=tmp_path / "o"), silent)
    assert [b.manifest.accuracy.status for b in report.built] == ["passed", "passed"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from edgec.cli.app import main; main()", *arguments]


def test_json_alone_on_stdout(tmp_path: Path) -> None:
    arguments = ("build", f"{MODELS}:NoInputs", "--target", "android", "--input", "image=1x3x4x4", "--json")
    done = subprocess.run(command(*arguments, "--out", str(tmp_path)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (artifact,) = json.loads(done.stdout)["artifacts"]
    assert artifact["accuracy"]["status"] == "passed"
    assert artifact["inputs"] == [{"name": "image", "shape": [1, 3, 4, 4], "dtype": "float32"}]


def test_failures_leave_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        command("build", f"{MODELS}:broken", "--target", "rtx", "--json"),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["diagnostics"][0]["code"] == "E0201"
    assert "Traceback" not in done.stderr
    assert "the author's own mistake" in done.stderr


def test_a_failed_check_exits_1(tmp_path: Path) -> None:
    arguments = ("build", f"{MODELS}:NoInputs", "--target", "iphone", "--input", "image=1x3x4x4")
    strict = ("--set", "accept.min_psnr_db=1000", "--set", "numerics.float32=ranges", "--out", str(tmp_path))
    done = subprocess.run(command(*arguments, *strict), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "E0601" in done.stderr


def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path) -> None:
    arguments = ("build", f"{MODELS}:mobilenet", "--target", "iphone", "--out", str(tmp_path))
    process = subprocess.Popen(
        command(*arguments), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "CI": "1"}
    )
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130, shown
    assert "Traceback" not in shown
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.parametrize("fails", [False, True])
def test_a_module_keeps_the_mode_of_each_of_its_parts(tmp_path: Path, fails: bool) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout())
    module.train()
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    inputs = (torch.randn(2, 5 if fails else 4),)
    with pytest.raises(EdgecError) if fails else contextlib.nullcontext():
        edgec.build(module, inputs, target="android", out=tmp_path)
    assert [part.training for part in module] == [True, False, True]
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
