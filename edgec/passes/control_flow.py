"""Control flow is settled: `If` is decided or becomes `Where`, `Loop` and `Scan` become their steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import onnx_ir as ir

from edgec.diag import Diagnostic, EdgecError
from edgec.ir.model import Model, all_nodes, subgraphs
from edgec.ir.provenance import place_of
from edgec.passes.branches import RULE, merge_branches, take_constant_branch
from edgec.passes.constants import FoldConstants
from edgec.passes.log import RewriteLog
from edgec.passes.loops import unroll_loop, unroll_scan

_UNROLL: dict[str, Callable[[ir.Node], str | None]] = {"Loop": unroll_loop, "Scan": unroll_scan}


class SettleControlFlow:
    """Branches with a known condition are taken, other pure ones of the same shapes selected; loops are unrolled.

    A Loop or Scan whose steps cannot be counted stays, with the reason in the log. Raises `EdgecError` E0206 for
    every If that cannot be merged, with what its branches return and where.
    """

    name = "control-flow"
    needs: ClassVar[frozenset[str]] = frozenset({"types"})
    gives: ClassVar[frozenset[str]] = frozenset()

    def run(self, model: Model, log: RewriteLog) -> None:
        """Innermost first, and again while something changes: unrolled steps make conditions and counts known."""
        reasons: dict[ir.Node, str] = {}
        while self._sweep(model.graph, log, reasons):
            FoldConstants().run(model, log)
        stuck = [node for node in all_nodes(model) if node in reasons]
        if refused := [_diagnostic(node, reasons[node]) for node in stuck if node.op_type == "If"]:
            raise EdgecError(refused)
        for node in stuck:
            log.missed(f"unroll-{node.op_type.lower()}", node, reasons[node])

    def _sweep(self, graph: ir.Graph, log: RewriteLog, reasons: dict[ir.Node, str]) -> bool:
        """Whether something changed in the graph or inside it."""
        changed = False
        for node in list(graph):
            if node.domain != "" or node.op_type not in ("If", *_UNROLL):
                continue
            if node.op_type == "If" and take_constant_branch(node):
                log.fired("take-constant-branch")
                changed = True
                continue
            for inner in subgraphs(node):
                changed |= self._sweep(inner, log, reasons)
            reason = merge_branches(node) if node.op_type == "If" else _UNROLL[node.op_type](node)
            if reason is None:
                log.fired(RULE if node.op_type == "If" else f"unroll-{node.op_type.lower()}")
                changed = True
            else:
                reasons[node] = reason
        return changed


def _diagnostic(node: ir.Node, reason: str) -> Diagnostic:
    return Diagnostic(
        "E0206",
        "the branches of `If` cannot be merged into a selection",
        place_of(node),
        (reason, "rejected by `if-not-mergeable`"),
        ("let both branches return the same type and shape, or decide the condition before the export",),
    )
