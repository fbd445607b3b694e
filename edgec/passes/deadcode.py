"""Removes what no output needs, and merges what is computed twice."""

from __future__ import annotations

from typing import ClassVar

from onnx_ir.passes.common import (
    CommonSubexpressionEliminationPass,
    DeduplicateInitializersPass,
    RemoveUnusedNodesPass,
    TopologicalSortPass,
)

from edgec.ir.model import Model, all_nodes
from edgec.passes.log import RewriteLog


class DeadCode:
    """Nodes and initializers that no output depends on are removed, and domains that no node is of."""

    name = "dead-code"
    needs: ClassVar[frozenset[str]] = frozenset()
    gives: ClassVar[frozenset[str]] = frozenset({"live"})

    def run(self, model: Model, log: RewriteLog) -> None:
        """Remove, then put the nodes in topological order."""
        before = sum(1 for _ in all_nodes(model))
        RemoveUnusedNodesPass()(model)
        TopologicalSortPass()(model)
        log.fired(self.name, before - sum(1 for _ in all_nodes(model)))
        used = {node.domain for node in all_nodes(model)}
        for domain in [d for d in model.graph.opset_imports if d and d not in used]:
            del model.graph.opset_imports[domain]


class CommonSubexpressions:
    """Two nodes with the same operator, inputs and attributes become one; small constants of one content as well."""

    name = "common-subexpressions"
    needs: ClassVar[frozenset[str]] = frozenset()
    gives: ClassVar[frozenset[str]] = frozenset()

    def run(self, model: Model, log: RewriteLog) -> None:
        """Merge in the main graph and every subgraph."""
        before = sum(1 for _ in all_nodes(model))
        DeduplicateInitializersPass(size_limit=_SMALL)(model)
        CommonSubexpressionEliminationPass()(model)
        log.fired(self.name, before - sum(1 for _ in all_nodes(model)))


_SMALL = 64
"""Elements of a constant that is compared with others: axes, shapes, factors."""
