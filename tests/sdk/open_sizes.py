"""Builds a module with open sizes for several targets and compares the artifacts with it at given sizes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from edgec.compiler.build import compile_target
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.frontend.dynamic import parse_dynamics
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.runners.open import open_runner
from edgec.spec.target import load_target

Inputs = tuple[torch.Tensor, ...]


def check(
    module: torch.nn.Module,
    example: Inputs,
    dynamic: Sequence[str],
    calls: Sequence[Inputs],
    out: Path,
    targets: Sequence[str] = ("android", "iphone", "rtx"),
) -> list[str]:
    """Asserts that every target gives the module's results at every call; returns the codes of notes on the source."""
    request = ExportRequest("m", SourceId("module", "t", ""), module.eval(), example, dynamic=parse_dynamics(dynamic))
    options = BuildOptions(out=out)
    prepared = prepare_imported(export_module(request), options, lambda step: None)
    for target in targets:
        built = compile_target(prepared, load_target(target), options, lambda step: None)
        assert built.manifest.accuracy.status == "passed", (target, built.failures)
        artifact = built.folder / built.manifest.artifact.path
        with open_runner(artifact if target != "rtx" else next(built.folder.glob("*.onnx"))) as runner:
            for call in calls:
                expected = module(*call)
                fed = {i.name: t.numpy() for i, t in zip(built.manifest.inputs, call, strict=True)}
                whole = expected if isinstance(expected, tuple) else (expected,)
                for want, found in zip(whole, runner.run(fed).values(), strict=True):
                    assert found.shape == want.shape, (target, call[0].shape)
                    worst = np.abs(found - want.detach().numpy()).max() / want.abs().max()
                    assert worst < (2e-2 if target == "iphone" else 1e-4), (target, call[0].shape)
    return [d.code for d in prepared.imported.warnings]
