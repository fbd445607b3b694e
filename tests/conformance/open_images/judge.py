"""Builds one model of open height and width for each target and compares it with eager PyTorch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from edgec.compiler.build import compile_target
from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.diag import Diagnostic, EdgecError
from edgec.frontend.dynamic import DynamicDim, parse_dynamics
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.runners.open import open_runner
from edgec.spec.target import load_target
from tests.conformance.open_images.models import Maker, randomized, runs

_LIMIT = {"tflite": 2e-3, "engine": 2e-3, "mlpackage": 2e-2}
"""Relative to the largest magnitude, by format: float16 weights, TensorRT's ONNX in float32, float16 arithmetic."""

TARGETS = ("android", "iphone", "rtx")


@dataclass(frozen=True)
class Judged:
    """The results of a model: the sizes that it was open to, and the result of each target."""

    name: str
    sizes: str
    found: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether it is right on every target, or cannot be open even in eager PyTorch."""
        return not self.found or all(each.startswith("right") for each in self.found)


def judge(name: str, make: Maker, sizes: str, targets: Sequence[str]) -> Judged:
    """Export a model once, build it for each target and compare. `sizes` is a range in the form of `--dynamic`."""
    model = randomized(make())
    if not runs(model):
        return Judged(name, "eager PyTorch does not run it at 192 and 256", ())
    dims = parse_dynamics([f"image:2=height:{sizes},3=width:{sizes}"])
    example = (torch.randn(1, 3, 224, 224),)
    try:
        imported = export_module(ExportRequest(name, SourceId("module", name, ""), model, example, dynamic=dims))
        prepared = prepare_imported(imported, BuildOptions(), lambda step: None)
    except EdgecError as refused:
        return Judged(name, sizes, (_told(refused.diagnostics),) * len(targets))
    with tempfile.TemporaryDirectory() as out:
        found = tuple(_worst(model, prepared, target, Path(out)) for target in targets)
    return Judged(name, _opened(prepared.imported.dynamic), found)


def _opened(dims: Sequence[DynamicDim]) -> str:
    ranges = {f"{d.least}..{d.largest}" + (f"/{d.multiple}" if d.multiple > 1 else "") for d in dims}
    return " × ".join(sorted(ranges))


def _told(diagnostics: Sequence[Diagnostic]) -> str:
    return "; ".join(f"{d.code} {d.message} ({str(d.place).rpartition('site-packages/')[2]})" for d in diagnostics)


def _places(dims: Sequence[DynamicDim]) -> Iterator[tuple[int, int]]:
    """Heights and widths: both ends of the range and three sizes between."""
    height, width = dims
    for share, other in ((0, 0), (1, 1), (0.25, 0.75), (0.75, 0.25), (0.5, 0.5)):
        at = [int(d.least + (d.largest - d.least) * s) for d, s in ((height, share), (width, other))]
        yield height.near(at[0]), width.near(at[1])


def _worst(model: torch.nn.Module, prepared: CanonicalModel, target: str, out: Path) -> str:
    """The result of one target: the largest error, or why there is none."""
    try:
        built = compile_target(prepared, load_target(target), BuildOptions(out=out), lambda step: None)
    except EdgecError as refused:
        return _told(refused.diagnostics)
    form = built.manifest.format
    path = built.folder / built.manifest.artifact.path if form != "engine" else next(built.folder.glob("*.onnx"))
    largest = 0.0
    with open_runner(path) as runner:
        for height, width in _places(prepared.imported.dynamic):
            x = torch.randn(1, 3, height, width)
            with torch.no_grad():
                expected = model(x)
            for want, found in zip(expected, runner.run({"image": x.numpy()}).values(), strict=True):
                if found.shape != want.shape:
                    return f"WRONG: {tuple(found.shape)} where it is {tuple(want.shape)}, at {height} x {width}"
                error = float(np.abs(found - want.numpy()).max() / want.abs().max())
                largest = max(largest, error) if error == error else np.inf
    if largest > _LIMIT[form]:
        return f"WRONG {largest:.0e}"
    status = built.manifest.accuracy.status
    return f"right {largest:.0e}" if status == "passed" else f"its own check says {status}, {largest:.0e}"
