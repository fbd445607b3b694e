"""Casts for torch's type promotions are those that the exporter's own pass inserts, which runs the whole program."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch.onnx._internal.exporter._fx_passes import insert_type_promotion_nodes

from edgec.frontend.torch.functionalization.type_promotion import insert_type_promotions

Forward = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], object]


class _Net(torch.nn.Module):
    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.computes = forward

    def forward(self, x: torch.Tensor, i: torch.Tensor, b: torch.Tensor) -> object:
        return self.computes(x, i, b)


FORWARDS: dict[str, Forward] = {
    "integers and floats": lambda x, i, b: (x + i, i * x, i - 0.5, x / 2),
    "integers divided": lambda x, i, b: (i / i, i // 2, torch.sqrt(i), i.exp()),
    "booleans": lambda x, i, b: (b + b, b * x, b + 1, i * b),
    "powers and comparisons": lambda x, i, b: (x**2, i**2, x > i, i == 0.5, 2**x),
    "selection": lambda x, i, b: (torch.where(b, x, i), torch.where(b, i, 0), x.masked_fill(b, 1)),
    "double and half": lambda x, i, b: (x.double() + x, x.half() * x, x.half() + i, x.half().softmax(-1)),
    "one after another": lambda x, i, b: ((x + i).sqrt() * (i / 3) - b, (i + i) * 2 + x),
    "a branch": lambda x, i, b: torch.cond(b.any(), lambda v, n: v + n, lambda v, n: v * (n / 2), (x, i)),
    "none": lambda x, i, b: (x + x, i + i, x * 0.5),
}


@pytest.mark.parametrize("forward", FORWARDS.values(), ids=FORWARDS)
def test_the_casts_are_the_exporters(forward: Forward) -> None:
    inputs = (torch.randn(2, 3), torch.randint(1, 5, (2, 3)), torch.rand(2, 3) > 0.5)
    program = torch.export.export(_Net(forward), inputs).run_decompositions({})
    expected = copy.deepcopy(program)
    insert_type_promotion_nodes(expected.graph_module)
    insert_type_promotions(program)
    assert _text(program) == _text(expected)


def _text(program: torch.export.ExportedProgram) -> list[str]:
    """All nodes of all graphs, with their types."""
    graphs = [m.graph for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule)]
    return [f"{node.format_node()} {getattr(node.meta.get('val'), 'dtype', None)}" for g in graphs for node in g.nodes]
