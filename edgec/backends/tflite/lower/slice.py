"""Slices: SLICE for static sizes and steps of 1, otherwise STRIDED_SLICE."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import NONE, binary, cast, ints, scalar, shape_of
from edgec.ops.base import Value
from edgec.ops.shape import Slice


def _slice(op: Slice, b: Builder) -> Operand:
    if not op.is_constant:
        return _computed(op, b)
    shape = shape_of(op.x)
    if any(shape[axis] == -1 for axis in op.axes or ()) or (-1 in shape and any(s != 1 for s in op.steps or ())):
        return _open(op, b)
    return _known(op, b)


def _known(op: Slice, b: Builder) -> Operand:
    """Bounds clamped as in ONNX; with a negative step, an end before the first element is -(size + 1)."""
    x, shape = b.operand(op.x), shape_of(op.x)
    begin, end, stride = [0] * len(shape), list(shape), [1] * len(shape)
    lists = (op.starts or (), op.ends or (), op.axes or (), op.steps or ())
    for start, stop, axis, step in zip(*lists, strict=True):
        begin[axis], end[axis], stride[axis] = _bounds(start, stop, step, shape[axis])
    if all(s == 1 for s in stride):
        size_of = [e - s if e != -1 else -1 for s, e in zip(begin, end, strict=True)]
        return b.op("SLICE", {"input": x, "begin": ints(b, begin, "begin"), "size": ints(b, size_of, "size")})
    return _strided(b, x, ints(b, begin, "begin"), ints(b, end, "end"), stride)


def _bounds(start: int, stop: int, step: int, size: int) -> tuple[int, int, int]:
    low, high, _ = slice(start, stop, step).indices(size)
    if step > 0:
        return low, max(low, high), step
    return low, high if high >= 0 else -(size + 1), step


def _open(op: Slice, b: Builder) -> Operand:
    """Bounds are kept: the kernel counts negative ones from the end and clamps like ONNX."""
    rank = len(op.x.shape or ())
    begin, end, stride, whole = [0] * rank, [0] * rank, [1] * rank, set(range(rank))
    lists = (op.starts or (), op.ends or (), op.axes or (), op.steps or ())
    for start, stop, axis, step in zip(*lists, strict=True):
        begin[axis], end[axis], stride[axis] = _narrow(start), _narrow(stop), step
        if step > 0 or stop > -_FAR:
            whole.discard(axis)
    masks = {"beginMask": 0, "endMask": sum(1 << axis for axis in whole)}
    return _strided(b, b.operand(op.x), ints(b, begin, "begin"), ints(b, end, "end"), stride, masks)


_FAR = 2**31 - 1
"""ONNX encodes "to the end" as a number larger than any size, possibly of 64 bits."""


def _narrow(bound: int) -> int:
    return max(-_FAR, min(bound, _FAR))


def _computed(op: Slice, b: Builder) -> Operand:
    """Bounds that the model computes, combined with those of the other axes."""
    rank, axes, steps = len(op.x.shape or ()), op.axes or (), op.steps or ()
    stride = [1] * rank
    for axis, step in zip(axes, steps, strict=True):
        stride[axis] = step
    whole = sum(1 << axis for axis in range(rank) if axis not in axes)
    begin, end = (_bounds_of_all_axes(op, value, rank, b) for value in (op.starts_value, op.ends_value))
    return _strided(b, b.operand(op.x), begin, end, stride, {"beginMask": whole, "endMask": whole})


def _bounds_of_all_axes(op: Slice, bounds: Value, rank: int, b: Builder) -> Operand:
    """One bound for each axis; values beyond 32 bits are clamped, as they exceed any size."""
    operand, axes = b.operand(bounds), op.axes or ()
    if operand.type.dtype == "int64":
        low, high = (scalar(b, sign * _FAR, "int64", "far") for sign in (-1, 1))
        operand = binary(b, "MAXIMUM", binary(b, "MINIMUM", operand, high, operand.type), low, operand.type)
        operand = cast(b, operand, "int32")
    if axes == tuple(range(rank)):
        return operand
    padded = b.op(
        "CONCATENATION",
        {"values": (operand, ints(b, (0,), "zero"))},
        TensorType("int32", (len(axes) + 1,)),
        axis=0,
        fusedActivationFunction=NONE,
    )
    order = [axes.index(axis) if axis in axes else len(axes) for axis in range(rank)]
    where = b.const(np.asarray(order, dtype=np.int32), "order")
    return b.op("GATHER", {"input": padded, "indices": where}, TensorType("int32", (rank,)), axis=0, batchDims=0)


def _strided(
    b: Builder, x: Operand, begin: Operand, end: Operand, stride: list[int], masks: dict[str, int] | None = None
) -> Operand:
    inputs = {"input": x, "begin": begin, "end": end, "strides": ints(b, stride, "strides")}
    rest: dict[str, Any] = {"ellipsisMask": 0, "newAxisMask": 0, "shrinkAxisMask": 0, "offset": False}
    return b.op("STRIDED_SLICE", inputs, **{"beginMask": 0, "endMask": 0, **(masks or {}), **rest})


LOWERINGS = (Lowering(Slice, _slice),)
