"""The resizes that LiteRT's two kernels compute exactly as ONNX defines them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgec.ir.model import static_shape
from edgec.ops.image import Resize
from edgec.rules.decompose.resize import nearest_indices, repeats, whole_factors

_TOLERANCE = 1e-6
"""Exporters store scales as float32: out/in is matched with this relative tolerance."""
_FLAGS = ((False, False), (False, True), (True, False))


@dataclass(frozen=True)
class ResizeKernel:
    """A builtin and its flags."""

    opcode: str
    align_corners: bool
    half_pixel_centers: bool


def kernel_of(op: Resize, spatial: tuple[int, ...]) -> ResizeKernel | None:
    """The kernel for a resize of only the given axes, or None if none is exact."""
    shape, out = static_shape(op.x), op.out_shape
    if shape is None or out is None:
        return _open_kernel(op, spatial)
    if op.scales is None:
        return None
    rest = [i for i in range(len(shape)) if i not in spatial]
    if any(shape[i] != out[i] or op.scales[i] != 1.0 for i in rest) or op.transform == "tf_crop_and_resize":
        return None
    if any(abs(out[i] / shape[i] - op.scales[i]) > _TOLERANCE * op.scales[i] for i in spatial):
        return None
    sizes = [(shape[i], out[i]) for i in spatial]
    if op.mode == "nearest":
        return _nearest(op, spatial, sizes)
    shrinks = op.antialias and any(o < i for i, o in sizes)
    return None if shrinks or op.mode != "linear" else _linear(op.transform, sizes)


def _open_kernel(op: Resize, spatial: tuple[int, ...]) -> ResizeKernel | None:
    """The kernel for open sizes: by integer factors, or to computed sizes."""
    before, after = op.x.shape, op.y.shape
    if before is None or after is None or len(before) != len(after) or op.antialias:
        return None
    if any(before[i] != after[i] for i in range(len(before)) if i not in spatial):
        return None
    factors = whole_factors(op, spatial)
    if factors is None and not (op.sizes_value is not None and op.is_stretched):
        return None
    if op.mode == "linear" and op.transform in _OPEN_LINEAR:
        return _linear(op.transform, [])
    if op.mode == "nearest" and factors is not None and all(repeats(op, axis, factors) for axis in spatial):
        return ResizeKernel("RESIZE_NEAREST_NEIGHBOR", align_corners=False, half_pixel_centers=True)
    if op.mode == "nearest" and factors is None and (op.transform, op.nearest) == ("asymmetric", "floor"):
        return ResizeKernel("RESIZE_NEAREST_NEIGHBOR", align_corners=False, half_pixel_centers=False)
    return None


_OPEN_LINEAR = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")


def _linear(transform: str, sizes: list[tuple[int, int]]) -> ResizeKernel | None:
    if transform == "pytorch_half_pixel" and any(out == 1 for _, out in sizes):
        return None
    half = transform in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")
    return ResizeKernel("RESIZE_BILINEAR", align_corners=transform == "align_corners", half_pixel_centers=half)


def _nearest(op: Resize, spatial: tuple[int, ...], sizes: list[tuple[int, int]]) -> ResizeKernel | None:
    """The flags for nearest that select the same source indices, if any do."""
    assert op.scales is not None
    wanted = [nearest_indices(op, axis, i, o, op.scales[axis]) for axis, (i, o) in zip(spatial, sizes, strict=True)]
    for align, half in _FLAGS:
        given = [_picked(i, o, align=align, half=half) for i, o in sizes]
        if all(np.array_equal(w, g) for w, g in zip(wanted, given, strict=True)):
            return ResizeKernel("RESIZE_NEAREST_NEIGHBOR", align, half)
    return None


def _picked(size: int, out: int, *, align: bool, half: bool) -> NDArray[np.int64]:
    """The indices that LiteRT's RESIZE_NEAREST_NEIGHBOR selects (reference_ops/resize_nearest_neighbor.h)."""
    scale = np.float32((size - 1) / (out - 1)) if align and out > 1 else np.float32(size / out)
    at = (np.arange(out, dtype=np.float32) + np.float32(0.5 if half else 0.0)) * scale
    near = np.floor(at + np.float32(0.5)) if align else np.floor(at)
    return np.asarray(np.clip(near, 0, size - 1), dtype=np.int64)
