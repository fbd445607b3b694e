"""Wrong lowerings are errors, whatever is allowed for rounding: in the graph (E0205) and on every target (E0601)."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgec.backends.base import Program
from edgec.backends.table import backend
from edgec.compiler import build
from edgec.compiler.build import compile_target
from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.diag import EdgecError, Severity
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.measure.canonical_check import check_canonical
from edgec.spec.target import load_target
from tests.sdk.planted import (
    MODELS,
    GraphChange,
    Heat,
    Ordinary,
    ProgramChange,
    Unit,
    Upscale,
    attribute,
    attrs,
    exchanged,
    instead,
    operand,
    parameter,
    swapped,
)

GRAPHS: dict[str, tuple[type[nn.Module], GraphChange]] = {
    "a bias that is dropped": (Heat, parameter("Conv", 2, np.zeros_like)),
    "a norm folded with another epsilon": (Heat, parameter("Conv", 1, lambda w: w * 0.9995)),
    "reversed channels": (Heat, parameter("Conv", 1, lambda w: w[:, ::-1])),
    "a sum along another axis": (Unit, parameter("ReduceSum", 1, lambda axes: 0 * axes, index=1)),
    "a square that is none": (Unit, instead("Mul", "Add", index=1)),
    "operands in another order, seen where they are no rounding": (Unit, swapped("Sub")),
    "other weights of a cubic resize": (Upscale, attribute("Resize", "cubic_coeff_a", -0.5)),
    "other corners of a resize": (Upscale, attribute("Resize", "coordinate_transformation_mode", "half_pixel")),
    "another order of a shuffle": (Upscale, attribute("DepthToSpace", "mode", "DCR")),
    "a window that is turned": (Upscale, parameter("ConvTranspose", 1, lambda w: w[..., ::-1])),
    "an approximation of an activation": (Ordinary, attribute("Gelu", "approximate", "tanh")),
    "another epsilon": (Ordinary, attribute("LayerNormalization", "epsilon", 1e-3)),
    "another direction of rounding": (Ordinary, instead("Ceil", "Floor")),
    "operands in another order": (Ordinary, swapped("Sub")),
}

PROGRAMS: dict[str, tuple[type[nn.Module], str, ProgramChange]] = {
    "android: pads off by one": (
        Ordinary,
        "android",
        operand("PAD", "paddings", lambda p: np.add(p, [[0, 0], [1, -1], [0, 0], [0, 0]])),
    ),
    "android: a weight transposed": (Ordinary, "android", operand("FULLY_CONNECTED", "weights", np.transpose)),
    "android: pixels without centres": (Ordinary, "android", attrs("RESIZE_BILINEAR", halfPixelCenters=False)),
    "android: an activation forgotten": (Heat, "android", attrs("CONV_2D", fusedActivationFunction=0)),
    "android: a constant that is a little off": (Unit, "android", operand("SUB", "b", lambda one: one * 1.00001)),
    "android: operands in another order": (Unit, "android", exchanged("SUB", "a", "b")),
    "android: a window that is turned": (Upscale, "android", operand("TRANSPOSE_CONV", "filter", lambda w: w[:, ::-1])),
    "iphone: pads off by one": (Ordinary, "iphone", attrs("conv", pad=(2, 0, 1, 1))),
    "iphone: a softmax along another axis": (Ordinary, "iphone", attrs("softmax", axis=1)),
    "iphone: an approximation": (Ordinary, "iphone", attrs("gelu", mode="SIGMOID_APPROXIMATION")),
    "iphone: operands in another order": (Ordinary, "iphone", exchanged("sub", "x", "y")),
}


@cache
def prepared(kind: type[nn.Module]) -> CanonicalModel:
    torch.manual_seed(0)
    module, example = kind().eval(), (torch.randn(*MODELS[kind]),)
    imported = export_module(ExportRequest("m", SourceId("module", "m", ""), module, example))
    return prepare_imported(imported, BuildOptions(), lambda step: None)


@pytest.mark.parametrize("plant", GRAPHS)
def test_a_wrong_graph_is_refused(plant: str) -> None:
    kind, change = GRAPHS[plant]
    right = prepared(kind)
    model = right.model.clone()
    change(model)
    with pytest.raises(EdgecError) as refused:
        check_canonical(model, right.samples, right.rounding)
    assert refused.value.diagnostics[0].code == "E0205"


class Spoilt:
    """A backend whose programs are modified."""

    def __init__(self, name: str, change: ProgramChange) -> None:
        self._backend, self._change = backend(name), change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def lower(self, *given: Any) -> Program:
        return self._change(self._backend.lower(*given))


@pytest.mark.parametrize("plant", PROGRAMS)
def test_a_wrong_program_fails(plant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, name, change = PROGRAMS[plant]
    target = load_target(name)
    monkeypatch.setattr(build, "backend", lambda *_: Spoilt(target.backend, change))
    built = compile_target(prepared(kind), target, BuildOptions(out=tmp_path), lambda step: None)
    assert {(d.code, d.severity) for d in built.failures} == {("E0601", Severity.ERROR)}
    assert built.folder.name == f"{name}.failed"
