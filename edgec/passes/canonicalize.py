"""Canonicalization: from the graph of a frontend to the same function in the core dialect."""

from __future__ import annotations

from collections.abc import Iterable

from edgec.diag import EdgecError
from edgec.dialect.core import CORE
from edgec.ir.model import Model
from edgec.passes.base import AfterPass, Pipeline, Rewritten
from edgec.passes.constants import ConstantsToInitializers, FoldConstants
from edgec.passes.control_flow import ResolveControlFlow
from edgec.passes.data_sizes import DataSizes
from edgec.passes.deadcode import CommonSubexpressions, DeadCode
from edgec.passes.functions import ExpandFunctionBodies, InlineFunctions
from edgec.passes.loop_states import LoopStates
from edgec.passes.remarks import reasons
from edgec.passes.rewrite import RewritePass
from edgec.passes.sequences import ResolveSequences
from edgec.rules.base import Rule
from edgec.rules.table import CLEANUP, DECOMPOSE, FUSE


def pipeline(disabled: Iterable[str] = (), extra: Iterable[Rule] = ()) -> Pipeline:
    """The passes of canonicalization, without the `disabled` rules. `extra` rules run together with the fusions."""
    return Pipeline(
        "canonicalize",
        [
            InlineFunctions(),
            ConstantsToInitializers(),
            FoldConstants(),
            ResolveControlFlow(),
            LoopStates(),
            ResolveSequences(),
            FoldConstants(),
            RewritePass("decompose", DECOMPOSE),
            ExpandFunctionBodies(),
            ConstantsToInitializers(),
            FoldConstants(),
            ResolveControlFlow(),
            LoopStates(),
            ResolveSequences(),
            RewritePass("decompose-bodies", (*DECOMPOSE, *CLEANUP)),
            FoldConstants(),
            CommonSubexpressions(),
            RewritePass("fuse", (*FUSE, *extra, *CLEANUP)),
            CommonSubexpressions(),
            FoldConstants(),
            RewritePass("cleanup", CLEANUP),
            DeadCode(),
            DataSizes(),
        ],
        frozenset(disabled),
    )


def canonicalize(model: Model, after: AfterPass | None = None, disabled: Iterable[str] = ()) -> Rewritten:
    """Bring the model into the core dialect, in place; returns it with the remarks of the passes.

    Raises `EdgecError` E0303, which lists every operator that cannot be brought there, each with its place.
    """
    remarks = pipeline(disabled).run(model, after)
    if outside := CORE.check(model, notes=lambda node: reasons(node, remarks)):
        raise EdgecError(outside)
    return Rewritten(model, remarks)
