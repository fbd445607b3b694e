"""Reductions, sorts and scans."""

from __future__ import annotations

from edgec.backends.legality import Family
from edgec.backends.tflite.legality.common import type_reject
from edgec.dialect.reject import Reject
from edgec.ops.reduce import ArgReduce, CumSum, Reduce, TopK
from edgec.spec.target import Target


def _reduce(op: Reduce, target: Target) -> Reject | None:
    if op.axes is None:
        return Reject("reduce-computed-axes", "the axes are computed by the model")
    return type_reject(op, [op.x])


def _arg(op: ArgReduce, target: Target) -> Reject | None:
    if op.select_last:
        return Reject("arg-select-last", "ARG_MAX selects the first of equal elements")
    return type_reject(op, [op.x])


def _topk(op: TopK, target: Target) -> Reject | None:
    if not op.largest:
        return Reject("topk-smallest", "TOPK_V2 selects the largest elements")
    return type_reject(op, [op.x])


def _cumsum(op: CumSum, target: Target) -> Reject | None:
    if op.axis is None:
        return Reject("cumsum-computed-axis", "the axis is computed by the model")
    return type_reject(op, [op.x])


FAMILIES = (
    Family(Reduce, "ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum", _reduce),
    Family(ArgReduce, "ArgMax ArgMin", _arg),
    Family(TopK, "TopK", _topk),
    Family(CumSum, "CumSum", _cumsum),
)
