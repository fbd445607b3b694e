"""Resizing: grids of sample points along each axis, with bilinear or nearest sampling."""

from __future__ import annotations

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.arguments import integer, integers
from edgec.runners.mil.ops.table import Table, computed, exact


def grid(size: int, count: int, mode: str) -> Array:
    """The positions of `count` samples on an axis of `size` points, in float64, before clamping to [0, size - 1].

    Formulas as in the op definition of `resize_bilinear`.
    """
    i = np.arange(count, dtype=np.float64)
    if mode == "STRICT_ALIGN_CORNERS":
        return i * ((size - 1) / max(count - 1, 1))
    if mode == "ALIGN_CORNERS":
        return i * ((size - 1) / (count - 1)) if count > 1 else np.array([(size - 1) / 2])
    if mode == "DEFAULT":
        return i * (size / count)
    if mode == "OFFSET_CORNERS":
        delta = max(1, size - 1) / count
        return 0.5 * delta + i * delta
    if mode == "UNALIGN_CORNERS":
        return (i + 0.5) * (size / count) - 0.5
    raise ValueError(f"sampling mode `{mode}`")


def _linear_axis(x: Array, points: Array, axis: int) -> Array:
    size = x.shape[axis]
    points = np.clip(points, 0, size - 1)
    low = np.floor(points).astype(np.int64)
    high = np.minimum(low + 1, size - 1)
    shape = [1] * x.ndim
    shape[axis] = len(points)
    weight = (points - low).astype(np.float32).reshape(shape)
    below = np.take(x, low, axis)
    result: Array = below + (np.take(x, high, axis) - below) * weight
    return result


def _nearest_axis(x: Array, points: Array, axis: int) -> Array:
    index = np.clip(np.floor(points), 0, x.shape[axis] - 1).astype(np.int64)
    return np.take(x, index, axis)


def _scaled(size: int, scale: Array | float) -> int:
    return int(np.floor(np.float64(np.asarray(scale).reshape(())) * size))


def _upsample_nearest(x: Array, scale_factor_height: Array | float = 1, scale_factor_width: Array | float = 1) -> Array:
    for axis, scale in ((-2, scale_factor_height), (-1, scale_factor_width)):
        count = _scaled(x.shape[axis], scale)
        x = _nearest_axis(x, grid(x.shape[axis], count, "DEFAULT"), axis % x.ndim)
    return x


def _resize_nearest(x: Array, target_size_height: Array, target_size_width: Array) -> Array:
    for axis, target in ((-2, target_size_height), (-1, target_size_width)):
        x = _nearest_axis(x, grid(x.shape[axis], integer(target), "DEFAULT"), axis % x.ndim)
    return x


def _upsample_bilinear(
    x: Array, scale_factor_height: Array | float = 1, scale_factor_width: Array | float = 1,
    align_corners: Array | bool = True, half_pixel_centers: Array | bool | None = None,
) -> Array:  # fmt: skip
    """The spacing follows from the sizes, not from a fractional scale factor."""
    half = not bool(align_corners) if half_pixel_centers is None else bool(half_pixel_centers)
    mode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS" if half else "DEFAULT"
    for axis, scale in ((-2, scale_factor_height), (-1, scale_factor_width)):
        x = _linear_axis(x, grid(x.shape[axis], _scaled(x.shape[axis], scale), mode), axis % x.ndim)
    return x


def _resize_bilinear(
    x: Array, target_size_height: Array | int = 1, target_size_width: Array | int = 1, sampling_mode: str = "DEFAULT"
) -> Array:
    for axis, target in ((-2, target_size_height), (-1, target_size_width)):
        x = _linear_axis(x, grid(x.shape[axis], integer(target), sampling_mode), axis % x.ndim)
    return x


def _resize(
    x: Array, shape: Array, resized_dims: Array, interpolation_mode: str = "LINEAR", sampling_mode: str = "DEFAULT"
) -> Array:
    """The last `resized_dims` entries of `shape` are the new sizes; 0 keeps a size. Integers are interpolated in
    float64 and truncated."""
    count = integer(resized_dims)
    targets = integers(shape)[-count:] if count else []
    whole = x.dtype
    if whole.kind != "f":
        x = x.astype(np.float64)
    for axis, target in enumerate(targets, start=x.ndim - count):
        if target == 0:
            continue
        points = grid(x.shape[axis], target, sampling_mode)
        if interpolation_mode == "LINEAR":
            x = _linear_axis(x, points, axis)
        else:
            # Unlike the older nearest-neighbour ops, which take the point below, this one rounds; ties go below.
            x = _nearest_axis(x, np.ceil(points - 0.5), axis)
    return x.astype(whole)


OPS: Table = {
    **computed(upsample_bilinear=_upsample_bilinear, resize_bilinear=_resize_bilinear, resize=_resize),
    **exact(upsample_nearest_neighbor=_upsample_nearest, resize_nearest_neighbor=_resize_nearest),
}
