"""Resizes and block rearrangements on channels-last data."""

from __future__ import annotations

from edgec.backends.base import Lowering, Operand, Reject
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import ints, reshape, static_reject, transpose, type_reject
from edgec.backends.tflite.ops import DepthToSpaceNHWC, ResizeNHWC, SpaceToDepthNHWC
from edgec.backends.tflite.resize import kernel_of
from edgec.ir.model import static_shape
from edgec.spec.target import Target

_SPATIAL = (1, 2)


def _rejects_resize(op: ResizeNHWC, target: Target) -> Reject | None:
    if kernel_of(op, _SPATIAL) is None:
        return Reject("resize-form", "legalization leaves only resizes that a kernel computes")
    return type_reject(op, [op.x])


def _resize(op: ResizeNHWC, b: Builder) -> Operand:
    kernel = kernel_of(op, _SPATIAL)
    assert kernel is not None
    assert op.out_shape is not None
    inputs = {"input": b.operand(op.x), "size": ints(b, op.out_shape[1:3], "size")}
    return b.op(kernel.opcode, inputs, alignCorners=kernel.align_corners, halfPixelCenters=kernel.half_pixel_centers)


def _rejects_blocks(op: DepthToSpaceNHWC | SpaceToDepthNHWC, target: Target) -> Reject | None:
    return static_reject([op.x, op.y], op.node.op_type.lower())


def _depth_to_space(op: DepthToSpaceNHWC, b: Builder) -> Operand:
    """DEPTH_TO_SPACE reads a channel as (block row, block column, channel): ONNX's DCR; CRD moves the channel first."""
    x = b.operand(op.x)
    shape = static_shape(op.x)
    assert shape is not None
    if op.crd:
        n, h, w, c = shape
        k = op.block
        split = reshape(b, x, (n * h * w, c // k**2, k * k))
        x = reshape(b, transpose(b, split, (0, 2, 1)), shape)
    return b.op("DEPTH_TO_SPACE", {"input": x}, blockSize=op.block)


def _space_to_depth(op: SpaceToDepthNHWC, b: Builder) -> Operand:
    return b.op("SPACE_TO_DEPTH", {"input": b.operand(op.x)}, blockSize=op.block)


LOWERINGS = (
    Lowering(ResizeNHWC, _rejects_resize, _resize),
    Lowering(DepthToSpaceNHWC, _rejects_blocks, _depth_to_space),
    Lowering(SpaceToDepthNHWC, _rejects_blocks, _space_to_depth),
)
