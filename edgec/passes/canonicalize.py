"""From whatever a frontend gives to the core dialect: the same function, small and clean."""

from __future__ import annotations

from collections.abc import Iterable

from edgec.diag import EdgecError
from edgec.dialect.core import CORE
from edgec.ir.model import Model
from edgec.passes.base import AfterPass, Pipeline
from edgec.passes.constants import ConstantsToInitializers, FoldConstants
from edgec.passes.control_flow import SettleControlFlow
from edgec.passes.data_sizes import DataSizes
from edgec.passes.deadcode import CommonSubexpressions, DeadCode
from edgec.passes.functions import ExpandFunctionBodies, InlineFunctions
from edgec.passes.log import RewriteLog
from edgec.passes.loop_states import LoopStates
from edgec.passes.rewrite import RewritePass
from edgec.passes.sequences import SettleSequences
from edgec.rules.base import Rule
from edgec.rules.table import CLEANUP, DECOMPOSE, FUSE


def pipeline(disabled: Iterable[str] = (), extra: Iterable[Rule] = ()) -> Pipeline:
    """The passes of canonicalization. `disabled` rules are left out, `extra` ones are tried with the fusions."""
    off = frozenset(disabled)

    def kept(rules: Iterable[Rule]) -> list[Rule]:
        return [rule for rule in rules if rule.name not in off]

    return Pipeline(
        "canonicalize",
        [
            InlineFunctions(),
            ConstantsToInitializers(),
            FoldConstants(),
            SettleControlFlow(),
            LoopStates(),
            SettleSequences(),
            FoldConstants(),
            RewritePass("decompose", kept(DECOMPOSE)),
            ExpandFunctionBodies(),
            ConstantsToInitializers(),
            FoldConstants(),
            SettleControlFlow(),
            LoopStates(),
            SettleSequences(),
            RewritePass("decompose-bodies", kept((*DECOMPOSE, *CLEANUP))),
            FoldConstants(),
            CommonSubexpressions(),
            RewritePass("fuse", kept((*FUSE, *extra, *CLEANUP))),
            CommonSubexpressions(),
            FoldConstants(),
            RewritePass("cleanup", kept(CLEANUP)),
            DeadCode(),
            DataSizes(),
        ],
    )


def canonicalize(model: Model, log: RewriteLog, after: AfterPass | None = None, disabled: Iterable[str] = ()) -> Model:
    """Bring the model into the core dialect, in place.

    Raises `EdgecError` E0303 with every operator that has no way there, each with its place.
    """
    pipeline(disabled).run(model, log, after)
    if outside := CORE.check(model, notes=lambda node: log.reasons(node)):
        raise EdgecError(outside)
    return model
