"""A rule on condition: only what a target does not take is taken apart."""

from __future__ import annotations

import onnx_ir as ir

from edgec.dialect.base import Predicate
from edgec.ir.build import GraphBuilder
from edgec.rules.base import NOT_HERE, Miss, Replacement, Rule


class WhereIllegal(Rule):
    """Another rule, tried at the operators alone that are illegal in the form that they have."""

    def __init__(self, rule: Rule, illegal: Predicate) -> None:
        self.name, self.roots, self.examples = rule.name, rule.roots, rule.examples
        self._rule, self._illegal = rule, illegal

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        """As the rule does."""
        return NOT_HERE if self._illegal(node) is None else self._rule.apply(node, g)
