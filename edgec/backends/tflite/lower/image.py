"""Resizes and block rearrangements on channels-last data."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgec.backends.base import Lowering, Operand, Reject
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import dtype_reject, ints, reshape, static_reject, transpose
from edgec.backends.tflite.ops import DepthToSpaceNHWC, ResizeNHWC, SpaceToDepthNHWC
from edgec.ir.model import static_shape
from edgec.spec.target import Target


def _rejects_resize(op: ResizeNHWC, target: Target) -> Reject | None:
    shape, out = static_shape(op.x), op.out_shape
    if shape is None or out is None or op.scales is None:
        return Reject("resize-dynamic", "the sizes are not static")
    if len(shape) != 4 or shape[0] != out[0] or shape[3] != out[3]:
        return Reject("resize-axes", "only the two spatial dimensions of a 4-D tensor can change")
    exact = all(abs(o / i - s) < 1e-6 for i, o, s in zip(shape, out, op.scales, strict=True))
    if op.antialias and any(s < 1 for s in op.scales):
        return Reject("resize-antialias", "there is no antialiased kernel")
    if op.mode == "cubic":
        return Reject("resize-cubic", "there is no cubic kernel")
    if op.mode == "linear":
        known = op.transform in ("half_pixel", "align_corners", "asymmetric")
        pytorch = op.transform == "pytorch_half_pixel" and all(d > 1 for d in out[1:3])
        if not (known or pytorch):
            return Reject(f"resize-linear-{op.transform}", "RESIZE_BILINEAR has no such coordinates")
        return None if exact or op.transform == "align_corners" else Reject("resize-scale", "the scale is not out/in")
    return _rejects_nearest(op, shape, out, exact=exact) or dtype_reject(op, [op.x], ("float32",), "resize")


def _rejects_nearest(op: ResizeNHWC, shape: tuple[int, ...], out: tuple[int, ...], *, exact: bool) -> Reject | None:
    """Nearest is compared as the list of source indices: any rule that picks the same elements will do."""
    if not exact:
        return Reject("resize-scale", "the scale is not out/in")
    wanted = [nearest_indices(op, i, o) for i, o in zip(shape[1:3], out[1:3], strict=True)]
    if any(w is None for w in wanted) or _nearest_attrs(op) is None:
        return Reject(f"resize-nearest-{op.transform}-{op.nearest}", "RESIZE_NEAREST_NEIGHBOR picks other elements")
    return None


def nearest_indices(op: ResizeNHWC, size: int, out: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None:
    """The source index of each output element of one axis by ONNX's rules, or None for an unknown transform."""
    x = np.arange(out, dtype=np.float64)
    scale = out / size
    match op.transform:
        case "half_pixel":
            at = (x + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            at = (x + 0.5) / scale - 0.5 if out > 1 else np.zeros(1)
        case "asymmetric":
            at = x / scale
        case "align_corners":
            at = x * (size - 1) / (out - 1) if out > 1 else np.zeros(1)
        case _:
            return None
    match op.nearest:
        case "floor":
            near = np.floor(at)
        case "ceil":
            near = np.ceil(at)
        case "round_prefer_ceil":
            near = np.floor(at + 0.5)
        case _:
            near = np.ceil(at - 0.5)
    return np.asarray(np.clip(near, 0, size - 1), dtype=np.int64)


def _kernel_indices(size: int, out: int, *, align: bool, half: bool) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """What LiteRT's RESIZE_NEAREST_NEIGHBOR picks (reference_ops/resize_nearest_neighbor.h)."""
    scale = np.float32((size - 1) / (out - 1)) if align and out > 1 else np.float32(size / out)
    at = (np.arange(out, dtype=np.float32) + np.float32(0.5 if half else 0.0)) * scale
    near = np.floor(at + np.float32(0.5)) if align else np.floor(at)
    return np.asarray(np.clip(near, 0, size - 1), dtype=np.int64)


def _nearest_attrs(op: ResizeNHWC) -> dict[str, Any] | None:
    """The kernel's flags under which it picks ONNX's elements."""
    shape, out = static_shape(op.x), op.out_shape
    assert shape is not None
    assert out is not None
    for align, half in ((False, False), (False, True), (True, False)):
        pairs = list(zip(shape[1:3], out[1:3], strict=True))
        wanted = [nearest_indices(op, i, o) for i, o in pairs]
        given = [_kernel_indices(i, o, align=align, half=half) for i, o in pairs]
        if all(w is not None and np.array_equal(w, k) for w, k in zip(wanted, given, strict=True)):
            return {"alignCorners": align, "halfPixelCenters": half}
    return None


def _resize(op: ResizeNHWC, b: Builder) -> Operand:
    assert op.out_shape is not None
    inputs = {"input": b.operand(op.x), "size": ints(b, op.out_shape[1:3], "size")}
    if op.mode == "linear":
        half = op.transform in ("half_pixel", "pytorch_half_pixel")
        align = op.transform == "align_corners"
        return b.op("RESIZE_BILINEAR", inputs, alignCorners=align, halfPixelCenters=half)
    attrs = _nearest_attrs(op)
    assert attrs is not None
    return b.op("RESIZE_NEAREST_NEIGHBOR", inputs, **attrs)


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
