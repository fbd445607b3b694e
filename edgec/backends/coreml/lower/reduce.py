"""Reductions, sorts and scans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.coreml.lower.common import (
    MilBuilder,
    cast,
    shape_of,
    type_of,
    wrapped,
)
from edgec.ops.reduce import ArgReduce, CumSum, Reduce, TopK

_REDUCE = {
    "ReduceMax": "reduce_max",
    "ReduceMean": "reduce_mean",
    "ReduceMin": "reduce_min",
    "ReduceProd": "reduce_prod",
    "ReduceSum": "reduce_sum",
}


def _reduce(op: Reduce, b: MilBuilder) -> Operand:
    x, out = b.operand(op.x), type_of(op.y)
    if not op.axes or not x.type.shape:
        return x
    numbers = cast(b, x, "int32") if out.dtype == "bool" else x
    kind = TensorType(numbers.type.dtype, out.shape)
    y = wrapped(b, b.emit(_REDUCE[op.kind], kind, x=numbers, axes=op.axes, keep_dims=op.keepdims), op.y)
    return cast(b, y, out.dtype)


def _arg(op: ArgReduce, b: MilBuilder) -> Operand:
    """The first of equal elements is selected; for the last one the axis is reversed."""
    opcode = "reduce_argmax" if op.kind == "ArgMax" else "reduce_argmin"
    x, out = b.operand(op.x), type_of(op.y)
    if not op.select_last:
        return b.emit(opcode, out, x=x, axis=op.axis, keep_dims=op.keepdims)
    backwards = b.emit("reverse", x.type, x=x, axes=(op.axis,))
    from_end = b.emit(opcode, out, x=backwards, axis=op.axis, keep_dims=op.keepdims)
    last = b.const(np.asarray(shape_of(op.x)[op.axis] - 1, dtype=np.int32), "last")
    return b.emit("sub", out, x=last, y=from_end)


def _topk(op: TopK, b: MilBuilder) -> Sequence[Operand]:
    types = tuple(type_of(v) for v in op.outputs)
    if op.k is None:
        return _first_of_sorted(op, types, b)
    return b.emit_many("topk", types, x=b.operand(op.x), k=op.k, axis=op.axis, ascending=not op.largest)


def sorted_whole(b: MilBuilder, x: Operand, axis: int, *, ascending: bool) -> tuple[Operand, Operand]:
    """All elements along an axis, sorted, and their indices; the size may be open, which `topk` does not support."""
    places = TensorType("int32", x.type.shape)
    order = b.emit("argsort", places, x=x, axis=axis, ascending=ascending)
    return b.emit("gather_along_axis", x.type, x=x, indices=order, axis=axis), order


def _first_of_sorted(op: TopK, types: Sequence[TensorType], b: MilBuilder) -> Sequence[Operand]:
    """For a computed k, which `topk` does not support: sort everything and slice the first k."""
    shape = type_of(op.x).shape
    found = sorted_whole(b, b.operand(op.x), op.axis, ascending=not op.largest)
    others = tuple(axis != op.axis for axis in range(len(shape)))
    none = b.const(np.zeros(1, dtype=np.int32), "zero")
    parts = tuple(b.operand(op.k_value) if not other else none for other in others)
    end = parts[0]
    if len(parts) > 1:
        end = b.emit("concat", TensorType("int32", (len(parts),)), values=parts, axis=0, interleave=False)
    begin = (0,) * len(shape)
    return [
        b.emit("slice_by_index", out, x=y, begin=begin, end=end, end_mask=others)
        for y, out in zip(found, types, strict=True)
    ]


def _cumsum(op: CumSum, b: MilBuilder) -> Operand:
    out: TensorType = type_of(op.y)
    y = b.emit("cumsum", out, x=b.operand(op.x), axis=op.axis, exclusive=op.exclusive, reverse=op.reverse)
    return wrapped(b, y, op.y)


LOWERINGS = (
    Lowering(Reduce, _reduce),
    Lowering(ArgReduce, _arg),
    Lowering(TopK, _topk),
    Lowering(CumSum, _cumsum),
)
