"""Resolves control flow: `If` is folded or speculated to `Where`, `Loop` and `Scan` of known length are unrolled."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import onnx_ir as ir

from edgec.diag import Diagnostic, EdgecError
from edgec.ir.model import Model, all_nodes, subgraphs
from edgec.ir.provenance import place_of
from edgec.passes.base import Pass
from edgec.passes.branches import RULE, merge_branches, take_constant_branch
from edgec.passes.constants import FoldConstants
from edgec.passes.loops import unroll_loop, unroll_scan
from edgec.passes.remarks import Fired, Missed, Remark

_UNROLL: dict[str, Callable[[ir.Node], str | None]] = {"Loop": unroll_loop, "Scan": unroll_scan}


class ResolveControlFlow(Pass):
    """Folds branches with a constant condition, selects between pure branches of equal shapes, unrolls loops.

    A Loop or Scan of unknown length stays, with the reason as a remark. Raises `EdgecError` E0206 for every If that
    cannot be merged, with the types that its branches return and where.
    """

    name = "control-flow"
    needs: ClassVar[frozenset[str]] = frozenset({"types"})
    gives: ClassVar[frozenset[str]] = frozenset()

    def run(self, model: Model) -> list[Remark]:
        """Innermost first, repeated until nothing changes: unrolling makes conditions and trip counts constant."""
        reasons: dict[ir.Node, str] = {}
        remarks: list[Remark] = []
        while changed := self._sweep(model.graph, reasons):
            remarks += [*changed, *FoldConstants().run(model)]
        stuck = [node for node in all_nodes(model) if node in reasons]
        if refused := [_diagnostic(node, reasons[node]) for node in stuck if node.op_type == "If"]:
            raise EdgecError(refused)
        return [*remarks, *(Missed(f"unroll-{node.op_type.lower()}", node, reasons[node]) for node in stuck)]

    def _sweep(self, graph: ir.Graph, reasons: dict[ir.Node, str]) -> list[Remark]:
        """One sweep over the graph and its subgraphs; returns remarks on what changed."""
        changed: list[Remark] = []
        for node in list(graph):
            if node.domain != "" or node.op_type not in ("If", *_UNROLL):
                continue
            if node.op_type == "If" and take_constant_branch(node):
                changed.append(Fired("take-constant-branch"))
                continue
            for inner in subgraphs(node):
                changed += self._sweep(inner, reasons)
            reason = merge_branches(node) if node.op_type == "If" else _UNROLL[node.op_type](node)
            if reason is None:
                changed.append(Fired(RULE if node.op_type == "If" else f"unroll-{node.op_type.lower()}"))
            else:
                reasons[node] = reason
        return changed


def _diagnostic(node: ir.Node, reason: str) -> Diagnostic:
    decided = [value.name for value in _controlling_inputs(node)]
    always = " ".join(f"--range {name}=VALUE..VALUE" for name in decided)
    return Diagnostic(
        "E0206",
        "the branches of `If` cannot be merged into a selection",
        place_of(node),
        (reason, "rejected by `if-not-mergeable`"),
        (
            "let both branches return the same type and shape, or decide the condition before the export",
            *((f"if the app always passes one value, use `{always}`: see E0107",) if decided else ()),
        ),
    )


def _controlling_inputs(node: ir.Node) -> list[ir.Value]:
    """The numeric inputs of the model on whose values the condition of an `If` depends."""
    pending, seen = [v for v in node.inputs if v is not None], set[ir.Value]()
    while pending:
        value = pending.pop()
        if value in seen:
            continue
        seen.add(value)
        maker = value.producer()
        if maker is not None and maker.op_type not in ("Shape", "Size"):
            pending += [v for v in maker.inputs if v is not None]
    found = [v for v in seen if v.is_graph_input() and v.dtype is not None and v.dtype.numpy().kind in "iuf"]
    return sorted(found, key=lambda value: value.name or "")
