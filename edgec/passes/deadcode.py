"""Dead-code elimination and common-subexpression elimination."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir
from onnx_ir.passes.common import (
    CommonSubexpressionEliminationPass,
    RemoveUnusedNodesPass,
    TopologicalSortPass,
)

from edgec.ir.model import Model, all_nodes
from edgec.passes.base import Pass
from edgec.passes.remarks import Remark, fired


class DeadCode(Pass):
    """Removes nodes and initializers that no output depends on, and imports of domains that no node uses."""

    name = "dead-code"
    needs: ClassVar[frozenset[str]] = frozenset()
    gives: ClassVar[frozenset[str]] = frozenset({"live"})

    def run(self, model: Model) -> list[Remark]:
        """Remove them, then sort the nodes topologically."""
        before = sum(1 for _ in all_nodes(model))
        RemoveUnusedNodesPass()(model)
        TopologicalSortPass()(model)
        used = {node.domain for node in all_nodes(model)}
        for domain in [d for d in model.graph.opset_imports if d and d not in used]:
            del model.graph.opset_imports[domain]
        return fired(self.name, before - sum(1 for _ in all_nodes(model)))


class CommonSubexpressions(Pass):
    """Merges nodes with the same operator, inputs and attributes, and small constants with the same content."""

    name = "common-subexpressions"
    needs: ClassVar[frozenset[str]] = frozenset()
    gives: ClassVar[frozenset[str]] = frozenset()

    def run(self, model: Model) -> list[Remark]:
        """Merge in the main graph and every subgraph."""
        before = sum(1 for _ in all_nodes(model))
        _merge_constants(model.graph)
        CommonSubexpressionEliminationPass()(model)
        return fired(self.name, before - sum(1 for _ in all_nodes(model)))


def _merge_constants(graph: ir.Graph) -> None:
    first: dict[tuple[object, ...], ir.Value] = {}
    for name, value in list(graph.initializers.items()):
        tensor = value.const_value
        if tensor is None or tensor.size > _SMALL or tensor.dtype == ir.DataType.STRING or value.is_graph_output():
            continue
        same = first.setdefault((tensor.dtype, tuple(tensor.shape), tensor.tobytes()), value)
        if same is not value and not value.is_graph_input():
            value.replace_all_uses_with(same)
            del graph.initializers[name]


_SMALL = 64
"""Constants of up to this many elements are compared with each other: axes, shapes, factors."""
