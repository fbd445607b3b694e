"""Expansion: operators that a dialect lacks are rewritten by rules, or by their ONNX function bodies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from edgec.dialect.base import Dialect
from edgec.ir.model import Model, all_nodes
from edgec.passes.base import Pass, Pipeline
from edgec.passes.constants import ConstantsToInitializers, FoldConstants
from edgec.passes.functions import ExpandFunctionBodies
from edgec.passes.remarks import Remark
from edgec.passes.rewrite import RewritePass
from edgec.rules.base import Rule
from edgec.rules.table import CLEANUP, DECOMPOSE, EXPAND
from edgec.spec.target import Target


def expansion(dialect: Dialect, target: Target, rules: Sequence[Rule] = EXPAND) -> list[Pass]:
    """Passes that apply each rule that the target enables or that has a root outside the dialect.

    Operators still outside the dialect are replaced by their ONNX function body, if any, and expanded again.
    """
    wanted = [rule for rule in rules if not set(rule.roots) <= dialect.ops or rule.name in target.rewrites.enable]
    expand = RewritePass("expand", [*wanted, *CLEANUP])
    bodies = RewritePass("expand-bodies", DECOMPOSE)
    return [
        expand,
        FoldConstants(),
        _Bodies(dialect, [bodies, expand, FoldConstants()]),
        RewritePass("cleanup", CLEANUP),
    ]


class _Bodies(Pass):
    """Replaces operators outside the dialect by their function bodies, and runs further passes on the result."""

    name = "function-bodies"
    needs: ClassVar[frozenset[str]] = frozenset({"types"})

    def __init__(self, dialect: Dialect, further: Sequence[Pass]) -> None:
        self.dialect, self.further = dialect, tuple(further)

    def without(self, disabled: Collection[str]) -> _Bodies:
        """The pass without those of the further passes that are disabled."""
        return _Bodies(self.dialect, [p for step in self.further if (p := step.without(disabled)) is not None])

    def run(self, model: Model) -> list[Remark]:
        """Does nothing if the model is inside the dialect."""
        if not any(self.dialect.lacks(node) for node in all_nodes(model)):
            return []
        steps = [ExpandFunctionBodies(self.dialect), ConstantsToInitializers(), FoldConstants(), *self.further]
        return Pipeline(self.name, steps, given=self.needs).run(model)
