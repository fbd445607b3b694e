"""Expand, then refuse: what a dialect lacks is rewritten by the rules that exist for it."""

from __future__ import annotations

from collections.abc import Sequence

from edgec.dialect.base import Dialect
from edgec.ir.model import Model
from edgec.passes.constants import ConstantsToInitializers, FoldConstants
from edgec.passes.functions import ExpandFunctionBodies
from edgec.passes.log import RewriteLog
from edgec.passes.rewrite import RewritePass
from edgec.rules.base import Rule
from edgec.rules.table import CLEANUP, DECOMPOSE, EXPAND
from edgec.spec.target import Target


def expand_to(dialect: Dialect, model: Model, target: Target, log: RewriteLog, rules: Sequence[Rule] = EXPAND) -> None:
    """Apply, in place, each rule whose root the dialect lacks or the target enables, none that it disables.

    What is still outside the dialect is expanded by its ONNX function body, if it has one, and then by the rules.
    """
    wanted = [
        rule
        for rule in rules
        if (not set(rule.roots) <= dialect.ops or rule.name in target.rewrites.enable)
        and rule.name not in target.rewrites.disable
    ]
    cleanup = [rule for rule in CLEANUP if rule.name not in target.rewrites.disable]
    expand = RewritePass("expand", [*wanted, *cleanup])
    expand.run(model, log)
    FoldConstants().run(model, log)
    if dialect.check(model):
        ExpandFunctionBodies(dialect).run(model, log)
        ConstantsToInitializers().run(model, log)
        FoldConstants().run(model, log)
        RewritePass("expand-bodies", [r for r in DECOMPOSE if r.name not in target.rewrites.disable]).run(model, log)
        expand.run(model, log)
        FoldConstants().run(model, log)
    RewritePass("cleanup", cleanup).run(model, log)
