"""Targets of ONNX Runtime: ONNX at a minimum opset, and the runtime's own format with its list of operators."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edgec.compiler.build import Built, build
from edgec.compiler.check import Budget, check_artifact
from edgec.compiler.options import BuildOptions
from edgec.frontend.request import SourceRequest
from edgec.measure.inspection import inspect
from tests import models


def built(name: str, target: str, out: Path, *settings: str) -> Built:
    request = SourceRequest(f"{models.__file__}:{name}")
    report = build(request, [target], BuildOptions(out=out, settings=settings), lambda _: None)
    assert report.errors == [], report.errors
    return report.built[0]


@pytest.mark.parametrize("opset", [17, 18, 21, 23])
@pytest.mark.parametrize("name", ["bert", "unet"])
def test_a_file_has_the_asked_for_opset_and_the_sources_numbers(name: str, opset: int, tmp_path: Path) -> None:
    found = built(name, "onnx", tmp_path, f"options.opset={opset}")
    assert found.failures == ()
    path = found.folder / found.manifest.artifact.path
    model = onnx.load(path)
    assert {o.domain: o.version for o in model.opset_import}[""] == opset
    onnx.checker.check_model(model, full_check=True)
    assert found.manifest.accuracy.max_rel is not None
    assert found.manifest.accuracy.max_rel <= 1e-5


def test_the_same_bytes(tmp_path: Path) -> None:
    first, again = (built("activations", "onnx", tmp_path / part) for part in ("a", "b"))
    assert first.manifest.artifact.sha256 == again.manifest.artifact.sha256


def test_the_runtimes_own_format(tmp_path: Path) -> None:
    first, again = (built("activations", "onnxruntime-mobile", tmp_path / part) for part in ("a", "b"))
    assert first.manifest.artifact.sha256 == again.manifest.artifact.sha256
    listed = (first.folder / "activations.required_operators.config").read_text()
    assert listed == (again.folder / "activations.required_operators.config").read_text()
    assert "Conv" in listed
    session = ort.InferenceSession(str(first.folder / "activations.ort"), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    (y,) = session.run(None, {given.name: np.ones(given.shape, np.float32)})
    assert np.isfinite(y).all()
    assert inspect(first.folder / "activations.ort").inputs[0].shape == (1, 3, 32, 32)
    assert check_artifact(first.folder, SourceRequest(f"{models.__file__}:activations"), Budget()).failures == []
