"""Reductions, sorts and scans."""

from __future__ import annotations

from collections.abc import Sequence

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import cast, ints, out_type, reshape, scalar, transpose
from edgec.ops.reduce import ArgReduce, CumSum, Reduce, TopK

_REDUCE = {
    "ReduceMax": "REDUCE_MAX",
    "ReduceMean": "MEAN",
    "ReduceMin": "REDUCE_MIN",
    "ReduceProd": "REDUCE_PROD",
    "ReduceSum": "SUM",
}


def _reduce(op: Reduce, b: Builder) -> Operand:
    x = b.operand(op.x)
    if not op.axes:
        return x
    return b.op(_REDUCE[op.kind], {"input": x, "axes": ints(b, op.axes, "axes")}, keepDims=op.keepdims)


def _arg(op: ArgReduce, b: Builder) -> Operand:
    """ARG_MAX drops the axis; its int32 indices are cast to ONNX's int64."""
    x, out = b.operand(op.x), out_type(op.y)
    shape = tuple(d for i, d in enumerate(x.type.shape) if i != op.axis)
    opcode = "ARG_MAX" if op.kind == "ArgMax" else "ARG_MIN"
    inputs = {"input": x, "axis": scalar(b, op.axis, "int32", "axis")}
    y: Operand = b.op(opcode, inputs, TensorType("int64", shape), outputType=4)
    return reshape(b, y, [d for d in out.shape if isinstance(d, int)]) if op.keepdims else y


def _topk(op: TopK, b: Builder) -> Sequence[Operand]:
    """TOPK_V2 is over the last axis and returns int32 indices."""
    x = b.operand(op.x)
    rank = len(x.type.shape)
    perm = [i for i in range(rank) if i != op.axis] + [op.axis]
    moved = x if op.axis == rank - 1 else transpose(b, x, perm)
    shape = (*moved.type.shape[:-1], "?" if op.k is None else op.k)
    k = reshape(b, cast(b, b.operand(op.k_value), "int32"), ()) if op.k is None else scalar(b, op.k, "int32", "k")
    inputs = {"input": moved, "k": k}
    types = (TensorType(x.type.dtype, shape), TensorType("int32", shape))
    values: list[Operand] = list(b.multi("TOPK_V2", inputs, types))
    values[1] = cast(b, values[1], "int64")
    if moved is x:
        return values
    back = sorted(range(rank), key=lambda i: perm[i])
    return [transpose(b, v, back) for v in values]


def _cumsum(op: CumSum, b: Builder) -> Operand:
    assert op.axis is not None
    inputs = {"input": b.operand(op.x), "axis": scalar(b, op.axis, "int32", "axis")}
    return b.op("CUMSUM", inputs, exclusive=op.exclusive, reverse=op.reverse)


LOWERINGS = (
    Lowering(Reduce, _reduce),
    Lowering(ArgReduce, _arg),
    Lowering(TopK, _topk),
    Lowering(CumSum, _cumsum),
)
