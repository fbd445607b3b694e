"""Dialects: closed sets of operators, with predicates on the forms in which they are legal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from edgec.diag import Diagnostic
from edgec.dialect.refusals import refusal
from edgec.dialect.reject import Reject
from edgec.ir.kernels import OWN
from edgec.ir.model import Model, all_nodes
from edgec.ir.provenance import place_of

Predicate = Callable[[ir.Node], Reject | None]
"""Returns why a node is illegal although the dialect has its operator, or None."""


@dataclass(frozen=True)
class Dialect:
    """The operators (of the `ai.onnx` domain, or as `domain::Op`) that a stage may contain.

    `predicates` restrict single operators, `every` all of them. A dialect is data: checking it needs no backend.
    """

    name: str
    ops: frozenset[str]
    predicates: Mapping[str, Predicate] = field(default_factory=dict)
    every: Predicate | None = None

    def lacks(self, node: ir.Node) -> Reject | None:
        """Why the dialect has the node's operator in no form, or None if it has."""
        if node.domain == OWN:  # a call of a user's own kernel, which replaces its body
            return None
        key = _key(node)
        if key in self.ops:
            return None if self.every is None else self.every(node)
        known = refusal(node.domain, node.op_type)
        return known or Reject(f"{node.op_type.lower()}-not-in-{self.name}", "no rule decomposes it")

    def illegal(self, node: ir.Node) -> Reject | None:
        """Why the node is illegal in the dialect, or None."""
        predicate = self.predicates.get(_key(node))
        return self.lacks(node) or (None if predicate is None else predicate(node))

    def check(
        self, model: Model, code: str = "E0303", notes: Callable[[ir.Node], Sequence[str]] = lambda node: ()
    ) -> list[Diagnostic]:
        """One diagnostic for each illegal node; `notes` adds what else is known about a node."""
        found = ((node, self.illegal(node)) for node in all_nodes(model))
        return [self._diagnostic(node, why, code, notes(node)) for node, why in found if why is not None]

    def _diagnostic(self, node: ir.Node, why: Reject, code: str, notes: Sequence[str]) -> Diagnostic:
        key = _key(node)
        message = f"`{key}` is not an operator of the {self.name} dialect"
        if key in self.ops:
            message = f"`{key}` is outside the {self.name} dialect in this form"
        said = (why.reason, *notes, f"rejected by `{why.label}`")
        return Diagnostic(code, message, place_of(node), said, (why.help,) if why.help else ())


def _key(node: ir.Node) -> str:
    return node.op_type if node.domain == "" else f"{node.domain}::{node.op_type}"
