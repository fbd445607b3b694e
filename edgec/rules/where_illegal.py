"""A wrapper that restricts a rule to operators that are illegal on a target."""

from __future__ import annotations

import onnx_ir as ir

from edgec.dialect.base import Predicate
from edgec.ir.build import GraphBuilder
from edgec.rules.base import NOT_HERE, Miss, Replacement, Rule


class WhereIllegal(Rule):
    """Applies another rule, whose documentation it has, only to operators that are illegal on the target."""

    def __init__(self, rule: Rule, illegal: Predicate) -> None:
        self.name, self.roots, self.examples = rule.name, rule.roots, rule.examples
        self._rule, self._illegal = rule, illegal
        self.__doc__ = rule.__doc__  # what `edgec rules` shows

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        """Apply the rule if the target has no such operator."""
        return NOT_HERE if self._illegal(node) is None else self._rule.apply(node, g)
