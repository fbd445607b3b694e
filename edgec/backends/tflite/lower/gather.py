"""Indexing."""

from __future__ import annotations

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.builder import Builder
from edgec.backends.tflite.legality.gather import is_single
from edgec.backends.tflite.lower.common import (
    NONE,
    cast,
    ints,
    out_type,
    reshape,
    scalar,
    shape_of,
)
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Value
from edgec.ops.gather import Gather, GatherND, OneHot, ScatterND


def _gather(op: Gather, b: Builder) -> Operand:
    indices = b.operand(op.indices)
    array = constant(op.indices)
    if array is not None:
        indices = b.const(np.asarray(array, dtype=np.int32), "indices")
    return b.op("GATHER", {"input": b.operand(op.x), "indices": indices}, axis=op.axis, batchDims=0)


def _gather_nd(op: GatherND, b: Builder) -> Operand:
    return b.op("GATHER_ND", {"input": b.operand(op.x), "indices": b.operand(op.indices)})


def _scatter(op: ScatterND, b: Builder) -> Operand:
    """SCATTER_ND adds to zeros: for `none`, which is legal only without repeated indices, x is masked out where updates
    are written.
    """
    x, shape = b.operand(op.x), static_shape(op.x)
    if op.reduction == "none" and is_single(op):
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
    """Integer ones of the updates' shape."""
    shape = static_shape(updates)
    if shape is not None:
        return b.const(np.ones(shape, dtype=np.int32), "ones")
    kind = out_type(updates)
    size = b.op("SHAPE", {"input": b.operand(updates)}, TensorType("int32", (len(kind.shape),)), outType=2)
    one = scalar(b, 1, "int32", "one")
    return b.op("FILL", {"dims": size, "value": one}, TensorType("int32", kind.shape))


def _update(op: ScatterND, x: Operand, b: Builder) -> Operand:
    """DYNAMIC_UPDATE_SLICE writes only that slice, which matters in loops that write a row per iteration."""
    shape, places = shape_of(op.x), (static_shape(op.indices) or (0,))[-1]
    start: Operand = reshape(b, cast(b, b.operand(op.indices), "int32"), (places,))
    if places < len(shape):
        zeros = ints(b, (0,) * (len(shape) - places), "zeros")
        kind = TensorType("int32", (len(shape),))
        start = b.op("CONCATENATION", {"values": (start, zeros)}, kind, axis=0, fusedActivationFunction=NONE)
    slice_shape = (1,) * places + shape[places:]
    update = reshape(b, b.operand(op.updates), slice_shape)
    return b.op("DYNAMIC_UPDATE_SLICE", {"operand": x, "update": update, "start": start})


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
    Lowering(Gather, _gather),
    Lowering(GatherND, _gather_nd),
    Lowering(ScatterND, _scatter),
    Lowering(OneHot, _one_hot),
)
