"""Reductions, sorts and scans."""

from __future__ import annotations

from collections.abc import Sequence

from edgec.backends.base import Lowering, Operand, Reject, TensorType
from edgec.backends.coreml.lower.common import MilBuilder, float_reject, type_of
from edgec.ops.reduce import ArgReduce, CumSum, Reduce, TopK
from edgec.spec.target import Target

_REDUCE = {
    "ReduceMax": "reduce_max",
    "ReduceMean": "reduce_mean",
    "ReduceMin": "reduce_min",
    "ReduceProd": "reduce_prod",
    "ReduceSum": "reduce_sum",
}


def _rejects_reduce(op: Reduce, target: Target) -> Reject | None:
    if op.axes is None:
        return Reject("reduce-computed-axes", "the axes are computed by the model")
    return float_reject([op.x], "reduce-mean") if op.kind == "ReduceMean" else None


def _reduce(op: Reduce, b: MilBuilder) -> Operand:
    x = b.operand(op.x)
    if not op.axes or not x.type.shape:
        return x
    return b.emit(_REDUCE[op.kind], type_of(op.y), x=x, axes=op.axes, keep_dims=op.keepdims)


def _rejects_arg(op: ArgReduce, target: Target) -> Reject | None:
    return Reject("arg-select-last", "the first of equal elements wins") if op.select_last else None


def _arg(op: ArgReduce, b: MilBuilder) -> Operand:
    opcode = "reduce_argmax" if op.kind == "ArgMax" else "reduce_argmin"
    return b.emit(opcode, type_of(op.y), x=b.operand(op.x), axis=op.axis, keep_dims=op.keepdims)


def _rejects_topk(op: TopK, target: Target) -> Reject | None:
    return Reject("topk-computed-k", "k is computed by the model") if op.k is None else None


def _topk(op: TopK, b: MilBuilder) -> Sequence[Operand]:
    types = tuple(type_of(v) for v in op.outputs)
    return b.emit_many("topk", types, x=b.operand(op.x), k=op.k, axis=op.axis, ascending=not op.largest)


def _rejects_cumsum(op: CumSum, target: Target) -> Reject | None:
    return Reject("cumsum-computed-axis", "the axis is computed by the model") if op.axis is None else None


def _cumsum(op: CumSum, b: MilBuilder) -> Operand:
    out: TensorType = type_of(op.y)
    return b.emit("cumsum", out, x=b.operand(op.x), axis=op.axis, exclusive=op.exclusive, reverse=op.reverse)


LOWERINGS = (
    Lowering(Reduce, _rejects_reduce, _reduce),
    Lowering(ArgReduce, _rejects_arg, _arg),
    Lowering(TopK, _rejects_topk, _topk),
    Lowering(CumSum, _rejects_cumsum, _cumsum),
)
