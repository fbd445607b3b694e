"""Indexing."""

from __future__ import annotations

import math

import numpy as np

from edgec.backends.base import Lowering, Operand, Reject, TensorType
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import (
    NONE,
    cast,
    ints,
    out_type,
    reshape,
    scalar,
    shape_of,
    static_reject,
    type_reject,
)
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Value
from edgec.ops.gather import Gather, GatherND, OneHot, ScatterND
from edgec.spec.target import Target


def _rejects_gather(op: Gather, target: Target) -> Reject | None:
    return type_reject(op, [op.x])


def _gather(op: Gather, b: Builder) -> Operand:
    indices = b.operand(op.indices)
    array = constant(op.indices)
    if array is not None:
        indices = b.const(np.asarray(array, dtype=np.int32), "indices")
    return b.op("GATHER", {"input": b.operand(op.x), "indices": indices}, axis=op.axis, batchDims=0)


def _rejects_gather_nd(op: GatherND, target: Target) -> Reject | None:
    if op.batch_dims:
        return Reject("gather-nd-batch", "GATHER_ND has no batch dimensions")
    return type_reject(op, [op.x])


def _gather_nd(op: GatherND, b: Builder) -> Operand:
    return b.op("GATHER_ND", {"input": b.operand(op.x), "indices": b.operand(op.indices)})


def _rejects_scatter(op: ScatterND, target: Target) -> Reject | None:
    if op.reduction not in ("none", "add"):
        return Reject(f"scatter-nd-{op.reduction}", "SCATTER_ND adds")
    if op.reduction == "none" and _is_single(op) and [*map(_is_open, (op.x.shape or ())[1:])].count(True) <= 1:
        return type_reject(op, [op.x])
    return type_reject(op, [op.x]) or static_reject([op.x], "scatter-nd")


def _is_open(size: object) -> bool:
    return not isinstance(size, int)


def _scatter(op: ScatterND, b: Builder) -> Operand:
    """SCATTER_ND builds from zeros and adds: `none`, which legalization leaves where indices do not repeat, masks x out
    where updates fall.
    """
    x, shape = b.operand(op.x), static_shape(op.x)
    if op.reduction == "none" and _is_single(op):
        return _update(op, x, b)
    indices, updates = cast(b, b.operand(op.indices), "int32"), b.operand(op.updates)
    assert shape is not None
    size = ints(b, shape, "shape")
    landed = b.op("SCATTER_ND", {"indices": indices, "updates": updates, "shape": size}, x.type)
    if op.reduction == "add":
        start = constant(op.x)
        if start is not None and not start.any():
            return landed
        return b.op("ADD", {"a": x, "b": landed}, fusedActivationFunction=0)
    ones = _ones_like(op.updates, b)
    counts = b.op("SCATTER_ND", {"indices": indices, "updates": ones, "shape": size}, TensorType("int32", shape))
    zero = scalar(b, 0, "int32", "zero")
    hit = b.op("NOT_EQUAL", {"a": counts, "b": zero}, TensorType("bool", shape))
    return b.op("SELECT_V2", {"c": hit, "a": landed, "b": x})


def _ones_like(updates: Value, b: Builder) -> Operand:
    """Integer ones, as many as there are updates."""
    shape = static_shape(updates)
    if shape is not None:
        return b.const(np.ones(shape, dtype=np.int32), "ones")
    kind = out_type(updates)
    size = b.op("SHAPE", {"input": b.operand(updates)}, TensorType("int32", (len(kind.shape),)), outType=2)
    one = scalar(b, 1, "int32", "one")
    return b.op("FILL", {"dims": size, "value": one}, TensorType("int32", kind.shape))


def _is_single(op: ScatterND) -> bool:
    """Whether one slice is written, at one place."""
    shape = static_shape(op.indices)
    return shape is not None and math.prod(shape[:-1]) == 1


def _update(op: ScatterND, x: Operand, b: Builder) -> Operand:
    """DYNAMIC_UPDATE_SLICE touches that slice alone, which counts where a loop writes a row at each step."""
    shape, places = shape_of(op.x), (static_shape(op.indices) or (0,))[-1]
    start: Operand = reshape(b, cast(b, b.operand(op.indices), "int32"), (places,))
    if places < len(shape):
        zeros = ints(b, (0,) * (len(shape) - places), "zeros")
        kind = TensorType("int32", (len(shape),))
        start = b.op("CONCATENATION", {"values": (start, zeros)}, kind, axis=0, fusedActivationFunction=NONE)
    slice_shape = (1,) * places + shape[places:]
    update = reshape(b, b.operand(op.updates), slice_shape)
    return b.op("DYNAMIC_UPDATE_SLICE", {"operand": x, "update": update, "start": start})


def _rejects_one_hot(op: OneHot, target: Target) -> Reject | None:
    if op.depth is None or constant(op.values) is None:
        return Reject("one-hot-computed", "the depth or the values are computed by the model")
    return type_reject(op, [op.values])


def _one_hot(op: OneHot, b: Builder) -> Operand:
    values = constant(op.values)
    assert values is not None
    out = out_type(op.y)
    inputs = {
        "indices": b.operand(op.indices),
        "depth": scalar(b, op.depth or 0, "int32", "depth"),
        "on": b.const(np.asarray(values[1], dtype=out.dtype), "on"),
        "off": b.const(np.asarray(values[0], dtype=out.dtype), "off"),
    }
    return b.op("ONE_HOT", inputs, out, axis=op.axis)


LOWERINGS = (
    Lowering(Gather, _rejects_gather, _gather),
    Lowering(GatherND, _rejects_gather_nd, _gather_nd),
    Lowering(ScatterND, _rejects_scatter, _scatter),
    Lowering(OneHot, _rejects_one_hot, _one_hot),
)
