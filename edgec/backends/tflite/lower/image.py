"""Resizes and space-to-depth operators on channels-last data."""

from __future__ import annotations

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.builder import Builder
from edgec.backends.tflite.legality.resize import kernel_of
from edgec.backends.tflite.lower.common import (
    NONE,
    binary,
    cast,
    ints,
    reshape,
    shape_of,
    transpose,
)
from edgec.backends.tflite.ops import DepthToSpaceNHWC, ResizeNHWC, SpaceToDepthNHWC
from edgec.ir.model import static_shape
from edgec.rules.decompose.resize import whole_factors

_SPATIAL = (1, 2)


def _resize(op: ResizeNHWC, b: Builder) -> Operand:
    kernel = kernel_of(op, _SPATIAL)
    assert kernel is not None
    inputs = {"input": b.operand(op.x), "size": _new_sizes(op, b)}
    return b.op(kernel.opcode, inputs, alignCorners=kernel.align_corners, halfPixelCenters=kernel.half_pixel_centers)


def _new_sizes(op: ResizeNHWC, b: Builder) -> Operand:
    """(height, width) of int32: constant, computed by the model, or a multiple of the input's."""
    if op.out_shape is not None:
        return ints(b, op.out_shape[1:3], "size")
    factors = whole_factors(op, _SPATIAL)
    own = _own_sizes(b, b.operand(op.x))
    if factors is not None:
        return binary(b, "MUL", own, ints(b, [factors[i] for i in _SPATIAL], "factors"), own.type)
    assert op.sizes_value is not None
    given = cast(b, b.operand(op.sizes_value), "int32")
    if op.axes == _SPATIAL:
        return given
    parts = [_element(b, given, op.axes.index(i)) if i in op.axes else _element(b, own, i - 1) for i in _SPATIAL]
    return b.op("CONCATENATION", {"values": tuple(parts)}, own.type, axis=0, fusedActivationFunction=NONE)


def _own_sizes(b: Builder, x: Operand) -> Operand:
    """(height, width) of the input."""
    shape = b.op("SHAPE", {"input": x}, TensorType("int32", (4,)), outType=2)
    bounds = {"begin": ints(b, (1,), "begin"), "size": ints(b, (2,), "size")}
    return b.op("SLICE", {"input": shape, **bounds}, TensorType("int32", (2,)))


def _element(b: Builder, sizes: Operand, index: int) -> Operand:
    bounds = {"begin": ints(b, (index,), "begin"), "size": ints(b, (1,), "size")}
    return b.op("SLICE", {"input": sizes, **bounds}, TensorType("int32", (1,)))


def _depth_to_space(op: DepthToSpaceNHWC, b: Builder) -> Operand:
    """DEPTH_TO_SPACE splits a channel into (block row, block column, channel), like ONNX's DCR; CRD has it first."""
    x = b.operand(op.x)
    shape, k = static_shape(op.x), op.block
    if op.crd and shape is None:
        c = shape_of(op.x)[3]
        order = np.arange(c, dtype=np.int32).reshape(c // k**2, k * k).T.reshape(-1)
        inputs = {"input": x, "indices": b.const(np.ascontiguousarray(order), "order")}
        x = b.op("GATHER", inputs, x.type, axis=3, batchDims=0)
    elif op.crd and shape is not None:
        n, h, w, c = shape
        split = reshape(b, x, (n * h * w, c // k**2, k * k))
        x = reshape(b, transpose(b, split, (0, 2, 1)), shape)
    return b.op("DEPTH_TO_SPACE", {"input": x}, blockSize=k)


def _space_to_depth(op: SpaceToDepthNHWC, b: Builder) -> Operand:
    return b.op("SPACE_TO_DEPTH", {"input": b.operand(op.x)}, blockSize=op.block)


LOWERINGS = (
    Lowering(ResizeNHWC, _resize),
    Lowering(DepthToSpaceNHWC, _depth_to_space),
    Lowering(SpaceToDepthNHWC, _space_to_depth),
)
