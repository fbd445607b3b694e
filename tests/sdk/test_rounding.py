"""The source's own rounding: right models are taken, wrong graphs of the same models are not."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_captured
from edgec.diag import EdgecError
from edgec.frontend.captured import SourceId
from edgec.frontend.torch_export import ExportRequest, export_module
from edgec.measure.canonical_check import check_canonical


class Heat(nn.Module):
    """A detector's heat map while nothing is there: 1e-5 everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 1, 1)
        nn.init.constant_(self.head.bias, -11.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.head(torch.relu(self.norm(self.conv(x)))))


class Unit(nn.Module):
    """Unit vectors, and how far their lengths are from 1: nothing but rounding."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q = nn.functional.normalize(x, dim=-1)
        return q, (q * q).sum(-1) - 1


class Steps(nn.Module):
    """What falls beside a step may fall to its other side."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.floor(torch.softmax(x, -1) * 1000 + torch.cumsum(x, -1) * 10)


class Norm(nn.Module):
    """Of a constant row: zero, or what rounding leaves, over the root of epsilon."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(33)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(torch.cumsum(x, -1) * 0.3 + x.mean(-1, keepdim=True))


CASES: dict[type[nn.Module], tuple[int, ...]] = {Heat: (1, 3, 16, 16), Unit: (4, 3), Steps: (5, 40), Norm: (4, 33)}


def prepared(kind: type[nn.Module]) -> CanonicalModel:
    torch.manual_seed(0)
    module, example = kind().eval(), (torch.randn(*CASES[kind]),)
    captured = export_module(ExportRequest("m", SourceId("module", "m", ""), module, example))
    return prepare_captured(captured, BuildOptions(), lambda step: None)


@pytest.mark.parametrize("kind", CASES)
def test_right_models_are_taken(kind: type[nn.Module]) -> None:
    assert prepared(kind).samples


def scaled(node: ir.Node, factor: float) -> None:
    """The node's first output times a factor."""
    graph, out = node.graph, node.outputs[0]
    assert graph is not None
    number = ir.node("Constant", [], {"value": ir.tensor(np.asarray(factor, np.float32))})
    product = ir.node("Mul", [out, number.outputs[0]])
    product.outputs[0].type, product.outputs[0].shape = out.type, out.shape
    graph.insert_after(node, [number, product])
    ir.convenience.replace_all_uses_with(out, product.outputs[0], replace_graph_outputs=True)
    product.outputs[0].name, out.name = out.name, "before"
    product.replace_input_with(0, out)


WRONG: dict[str, Callable[[ir.Node], None]] = {
    "one percent": lambda node: scaled(node, 1.01),
    "the other sign": lambda node: scaled(node, -1.0),
    "nothing": lambda node: scaled(node, 0.0),
}


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("wrong", WRONG)
def test_planted_wrong_operators_are_found(kind: type[nn.Module], wrong: str) -> None:
    right = prepared(kind)
    computing = [i for i, n in enumerate(right.model.graph) if n.outputs[0].dtype == ir.DataType.FLOAT]
    found = 0
    for index in computing:
        model = right.model.clone()
        WRONG[wrong](list(model.graph)[index])
        try:
            found += bool(check_canonical(model, right.samples, right.rounding))  # a norm hides what lies before it
        except EdgecError as refused:
            found += refused.diagnostics[0].code == "E0205"
    assert found >= len(computing) - 1
