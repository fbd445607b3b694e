"""Reductions, sorts and scans."""

from __future__ import annotations

from edgec.backends.coreml.legality.common import float_reject, static_reject
from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ops.reduce import ArgReduce, CumSum, Reduce, TopK
from edgec.spec.target import Target


def _reduce(op: Reduce, target: Target) -> Reject | None:
    if op.axes is None:
        return Reject("reduce-computed-axes", "the axes are computed by the model")
    return float_reject([op.x], "reduce-mean") if op.kind == "ReduceMean" else None


def _arg(op: ArgReduce, target: Target) -> Reject | None:
    return static_reject([op.x], "arg-select-last") if op.select_last else None


def _cumsum(op: CumSum, target: Target) -> Reject | None:
    return Reject("cumsum-computed-axis", "the axis is computed by the model") if op.axis is None else None


FAMILIES = (
    Family(Reduce, "ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum", _reduce),
    Family(ArgReduce, "ArgMax ArgMin", _arg),
    Family(TopK, "TopK"),
    Family(CumSum, "CumSum", _cumsum),
)
