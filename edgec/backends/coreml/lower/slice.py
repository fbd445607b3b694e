"""Slices. bool is converted to float16."""

from __future__ import annotations

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.coreml.lower.common import (
    MilBuilder,
    moved_back,
    shape_of,
    static_dims,
    through_half,
    type_of,
)
from edgec.ir.model import constant
from edgec.ops.base import Value
from edgec.ops.shape import Slice


def _slice_open(op: Slice, b: MilBuilder, x: Operand, out: TensorType) -> Operand:
    """For an open dimension bounds are kept: negative ones count from the end, large ones are clamped there."""
    rank = len(x.type.shape)
    begin, end, stride, to_end = [0] * rank, [0] * rank, [1] * rank, [True] * rank
    lists = (op.starts or (), op.ends or (), op.axes or (), op.steps or ())
    for start, stop, axis, step in zip(*lists, strict=True):
        far = stop >= _FAR
        begin[axis], end[axis], stride[axis], to_end[axis] = max(start, -_FAR), 0 if far else stop, step, far
    return b.emit(
        "slice_by_index",
        TensorType(x.type.dtype, out.shape),
        x=x,
        begin=tuple(begin),
        end=tuple(end),
        stride=tuple(stride),
        end_mask=tuple(to_end),
    )


_FAR = 2**31 - 1
"""ONNX encodes "to the end" as a number larger than any size."""


def _slice_computed(op: Slice, b: MilBuilder, x: Operand, out: TensorType) -> Operand:
    """Bounds that the model computes, combined with those of the other axes."""
    rank, axes = len(x.type.shape), op.axes or ()
    stride = [1] * rank
    for axis, step in zip(axes, op.steps or (), strict=True):
        stride[axis] = step
    whole = tuple(axis not in axes for axis in range(rank))
    return b.emit(
        "slice_by_index",
        TensorType(x.type.dtype, out.shape),
        x=x,
        begin=_bounds_of_all_axes(op, op.starts_value, rank, b),
        end=_bounds_of_all_axes(op, op.ends_value, rank, b),
        stride=tuple(stride),
        begin_mask=whole,
        end_mask=whole,
    )


def _bounds_of_all_axes(op: Slice, bounds: Value, rank: int, b: MilBuilder) -> Operand:
    """One bound for each axis, 0 for those that are not sliced; constants are clamped to 32 bits."""
    known, axes = constant(bounds), op.axes or ()
    if known is not None:
        full = np.zeros(rank, dtype=np.int32)
        full[list(axes)] = np.clip(known.astype(np.int64), -_FAR, _FAR)
        return b.const(full, "bounds")
    given = b.operand(bounds)
    if axes == tuple(range(rank)):
        return given
    zero = b.const(np.zeros(1, dtype=np.int32), "zero")
    padded = b.emit("concat", TensorType("int32", (len(axes) + 1,)), values=(given, zero), axis=0, interleave=False)
    order = [axes.index(axis) if axis in axes else len(axes) for axis in range(rank)]
    where = b.const(np.asarray(order, dtype=np.int32), "order")
    return b.emit("gather", TensorType("int32", (rank,)), x=padded, indices=where, axis=0)


def _slice(op: Slice, b: MilBuilder) -> Operand:
    """Bounds clamped as in ONNX; an end before the first element is expressed with a mask."""
    x, out, shape = through_half(b, b.operand(op.x)), type_of(op.y), shape_of(op.x)
    if not op.is_constant:
        return moved_back(b, _slice_computed(op, b, x, out), out)
    if static_dims(type_of(op.x)) is None:
        return moved_back(b, _slice_open(op, b, x, out), out)
    begin, end, stride, past = [0] * len(shape), list(shape), [1] * len(shape), [False] * len(shape)
    lists = (op.starts or (), op.ends or (), op.axes or (), op.steps or ())
    for start, stop, axis, step in zip(*lists, strict=True):
        low, high, by = slice(start, stop, step).indices(shape[axis])
        begin[axis], end[axis], stride[axis], past[axis] = low, high, by, high < 0
    y = b.emit(
        "slice_by_index",
        TensorType(x.type.dtype, out.shape),
        x=x,
        begin=tuple(begin),
        end=tuple(max(e, 0) for e in end),
        stride=tuple(stride),
        end_mask=tuple(past),
    )
    return moved_back(b, y, out)


LOWERINGS = (Lowering(Slice, _slice),)
