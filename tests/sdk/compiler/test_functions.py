"""Packages with several functions that share their weights."""

from pathlib import Path

import coremltools
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from edgec.artifact.files import size_of
from edgec.artifact.manifest import read_manifest
from edgec.cli.app import app
from edgec.compiler.build import build
from edgec.compiler.check import Budget, Execution, check_artifact
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest
from edgec.runners.mil.runner import MilRunner

MODELS = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.net = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 64))

    def forward(self, x):
        return self.net(x)

class Pooled(Net):
    def forward(self, x):
        return self.net(x).mean(1)

prefill = lambda: (Net().eval(), (torch.randn(1, 8, 64),))
decode = lambda: (Net().eval(), (torch.randn(1, 1, 64),))
pooled = lambda: (Pooled().eval(), (torch.randn(1, 8, 64),))
"""

IOS18 = ("options.minimum_deployment_target=iOS18",)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "models.py"
    path.write_text(MODELS)
    return path


def test_functions_share_weights_and_are_verified_one_by_one(file: Path, tmp_path: Path) -> None:
    set18 = ["--set", IOS18[0]]
    single = ["build", f"{file}:prefill", "--target", "iphone", *set18, "--out", str(tmp_path / "one")]
    assert CliRunner().invoke(app, single).exit_code == 0
    several = ["build", f"{file}:prefill", "--function", f"decode={file}:decode", "--function", f"pooled={file}:pooled"]
    several += ["--dynamic", "pooled/x:1=4..32", "--target", "iphone", *set18, "--out", str(tmp_path / "more")]
    result = CliRunner().invoke(app, several)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "more/prefill/iphone"
    manifest = read_manifest(folder / "manifest.json")
    assert [f.name for f in manifest.functions] == ["prefill", "decode", "pooled"]
    assert {f.accuracy.status for f in manifest.functions} == {"passed"}
    path = folder / manifest.artifact.path
    weights = "Data/com.apple.CoreML/weights/weight.bin"
    assert size_of(path / weights) < 1.1 * size_of(tmp_path / "one/prefill/iphone/prefill.mlpackage" / weights)
    spec = coremltools.models.MLModel(str(path), skip_model_load=True).get_spec()
    assert spec.description.defaultFunctionName == "prefill"
    namespace: dict[str, object] = {}
    exec(MODELS, namespace)
    for function, shape in (("prefill", (1, 8, 64)), ("decode", (1, 1, 64)), ("pooled", (1, 17, 64))):
        x = torch.randn(shape)
        module, _ = namespace[function]()  # type: ignore[operator]
        with MilRunner(path, "float16", function) as runner:
            np.testing.assert_allclose(runner.run({"x": x.numpy()})["output"], module(x).detach(), atol=2e-3)
    report = check_artifact(path, SourceRequest(f"{file}:decode"), Budget(), Execution("decode"))
    assert not report.failures, report.failures
    np.save(tmp_path / "x.npy", np.ones((1, 1, 64), np.float32))
    run = ["run", str(path), "--function", "decode", "--input", str(tmp_path / "x.npy")]
    assert CliRunner().invoke(app, run).exit_code == 0


def test_who_holds_one_function_says_so(file: Path, tmp_path: Path) -> None:
    functions = (("decode", SourceRequest(f"{file}:decode")),)
    options = BuildOptions(out=tmp_path / "out", functions=functions)
    report = build(SourceRequest(f"{file}:prefill"), ["android", "iphone"], options, lambda step: None)
    assert not report.built
    labels = ["rejected by `functions`", "rejected by `functions-before-ios18`"]
    assert [d.notes[-1] for d in report.errors] == labels
    options = BuildOptions(out=tmp_path / "out", functions=functions, settings=IOS18)
    (built,) = build(SourceRequest(f"{file}:prefill"), ["iphone"], options, lambda step: None).built
    with pytest.raises(EdgecError) as refused:
        MilRunner(built.folder / built.manifest.artifact.path, function="x")
    assert "there is no function `x`" in str(refused.value.diagnostics[0])
