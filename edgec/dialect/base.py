"""What a dialect is: a closed set of operators, with predicates on how each may appear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from edgec.diag import Diagnostic
from edgec.ir.model import Model, all_nodes
from edgec.ir.provenance import place_of

Predicate = Callable[[ir.Node], str | None]
"""Says why a node is not legal although its operator is, or None."""


@dataclass(frozen=True)
class Dialect:
    """The operators (of the `ai.onnx` domain, or as `domain::Op`) that a stage may hold.

    `predicates` narrows single operators. A dialect is data: checking it needs no backend.
    """

    name: str
    ops: frozenset[str]
    predicates: Mapping[str, Predicate] = field(default_factory=dict)

    def illegal(self, node: ir.Node) -> str | None:
        """Why the node does not belong, or None."""
        key = node.op_type if node.domain == "" else f"{node.domain}::{node.op_type}"
        if key not in self.ops:
            return f"`{key}` is not an operator of the {self.name} dialect"
        predicate = self.predicates.get(key)
        return None if predicate is None else predicate(node)

    def check(self, model: Model, code: str = "E0303") -> list[Diagnostic]:
        """One diagnostic for each node that does not belong, with the label that keys it in conformance tables."""
        found = ((node, self.illegal(node)) for node in all_nodes(model))
        return [
            Diagnostic(code, reason, place_of(node), (f"rejected by `{node.op_type.lower()}-not-in-{self.name}`",))
            for node, reason in found
            if reason is not None
        ]
