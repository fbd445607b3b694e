"""Sampling an image at points: resample, affine and crop_resize."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.arguments import integer
from edgec.runners.mil.ops.table import Context, Op, Table


# An index rule maps integer positions, possibly outside [0, size), into it.
def _clamp(i: Array, size: int) -> Array:
    return np.clip(i, 0, size - 1)


def _reflection(i: Array, size: int) -> Array:
    """Mirrored about the edge pixels, which are not repeated: 2 1 | 0 1 2 | 1 0."""
    if size == 1:
        return np.zeros_like(i)
    wrapped = np.mod(i, 2 * (size - 1))
    result: Array = np.minimum(wrapped, 2 * (size - 1) - wrapped)
    return result


def _symmetric(i: Array, size: int) -> Array:
    """Mirrored about the edges, so that edge pixels repeat: 1 0 | 0 1 2 | 2 1."""
    wrapped = np.mod(i, 2 * size)
    result: Array = np.minimum(wrapped, 2 * size - 1 - wrapped)
    return result


_RULES: dict[str, Callable[[Array, int], Array]] = {
    "constant": _clamp, "border": _clamp, "reflection": _reflection, "symmetric": _symmetric,
}  # fmt: skip


def _nearest(points: Array, size: int, padding: str) -> Array:
    """The nearest integer, halves to even, of points reflected first: 6.5 in [0, 2) becomes 0.5, then 0."""
    if padding == "reflection" and size > 1:
        points = np.mod(points, 2 * (size - 1))
        points = np.minimum(points, 2 * (size - 1) - points)
    elif padding == "symmetric":
        points = np.mod(points + 0.5, 2 * size)
        points = np.minimum(points, 2 * size - points) - 0.5
    elif padding == "border":
        points = np.clip(points, 0, size - 1)
    return np.rint(points).astype(np.int64)


def _pixels(image: Array, row: Array, column: Array, padding: str, value: np.float32) -> Array:
    """image [C, H, W] at integer positions of any shape: [C, *positions]."""
    height, width = image.shape[1:]
    rule = _RULES[padding]
    picked = image[:, rule(row, height), rule(column, width)]
    if padding != "constant":
        return picked
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return np.where(inside, picked, value)


def _bilinear(image: Array, y: Array, x: Array, padding: str, value: np.float32) -> Array:
    top, left = np.floor(y), np.floor(x)
    wy, wx = (y - top).astype(np.float32), (x - left).astype(np.float32)
    row, column = top.astype(np.int64), left.astype(np.int64)

    def at(dy: int, dx: int) -> Array:
        return _pixels(image, row + dy, column + dx, padding, value)

    upper = at(0, 0) * (1 - wx) + at(0, 1) * wx
    lower = at(1, 0) * (1 - wx) + at(1, 1) * wx
    return upper * (1 - wy) + lower * wy


def _to_pixels(c: Array, size: int, mode: str, align_corners: bool) -> Array:
    if mode == "unnormalized":
        return c
    if mode == "normalized_minus_one_to_one":
        return (c + 1) / 2 * (size - 1) if align_corners else ((c + 1) * size - 1) / 2
    if mode == "normalized_zero_to_one":
        return c * (size - 1) if align_corners else c * size - 0.5
    raise ValueError(f"coordinates mode `{mode}`")


def _resample(
    x: Array, coordinates: Array, sampling_mode: str, padding_mode: str, padding_value: Array, coordinates_mode: str,
    align_corners: Array | bool,
) -> Array:  # fmt: skip
    """Samples on a grid over [-1, 1] in both directions, transformed by matrices with rows (a0 a1 a2 b0 b1 b2)."""
    if padding_mode not in _RULES:
        raise ValueError(f"padding mode `{padding_mode}`")
    points = coordinates.astype(np.float64)
    px = _to_pixels(points[..., 0], x.shape[3], coordinates_mode, bool(align_corners))
    py = _to_pixels(points[..., 1], x.shape[2], coordinates_mode, bool(align_corners))
    value = np.float32(padding_value)
    result = []
    for image, row, column in zip(x, py, px, strict=True):
        if sampling_mode == "nearest":
            nearest = [_nearest(row, x.shape[2], padding_mode), _nearest(column, x.shape[3], padding_mode)]
            result.append(_pixels(image, nearest[0], nearest[1], padding_mode, value))
        else:
            result.append(_bilinear(image, row, column, padding_mode, value))
    return np.stack(result)


def _affine(
    x: Array, transform_matrix: Array, output_height: Array, output_width: Array, sampling_mode: str,
    padding_mode: str, padding_value: Array, coordinates_mode: str, align_corners: Array | bool,
) -> Array:  # fmt: skip
    """The output grid runs over [-1, 1] in both directions; the matrix rows are (a0 a1 a2 b0 b1 b2)."""
    gx, gy = np.meshgrid(np.linspace(-1, 1, integer(output_width)), np.linspace(-1, 1, integer(output_height)))
    matrices = np.broadcast_to(transform_matrix, (x.shape[0], 6)).astype(np.float64)
    points = [np.stack([m[0] * gx + m[1] * gy + m[2], m[3] * gx + m[4] * gy + m[5]], -1) for m in matrices]
    return _resample(x, np.stack(points), sampling_mode, padding_mode, padding_value, coordinates_mode, align_corners)


def _corners(box: Array, mode: str) -> tuple[float, float, float, float]:
    """(top, left, bottom, right) of a box in one of the four conventions."""
    a, b, c, d = (float(v) for v in box)
    if mode.endswith("WIDTH_FIRST"):
        a, b, c, d = b, a, d, c
    if mode.startswith("CENTER_SIZE"):
        return a - c / 2, b - d / 2, a + c / 2, b + d / 2
    return a, b, c, d


def _points(start: float, end: float, count: int, mode: str) -> Array:
    """Sample points on one side of a box; a side whose end precedes its start runs backwards."""
    span = abs(end - start) + 1
    i = np.arange(count, dtype=np.float64)
    if mode in ("ALIGN_CORNERS", "STRICT_ALIGN_CORNERS"):
        if count == 1:
            return np.array([(start + end) / 2 if mode == "ALIGN_CORNERS" else start])
        return start + i * ((end - start) / (count - 1))
    offsets = {
        "DEFAULT": i * (span / count),
        "OFFSET_CORNERS": (i + 0.5) * (max(1.0, span - 1) / count),
        "UNALIGN_CORNERS": (i + 0.5) * (span / count) - 0.5,
    }.get(mode)
    if offsets is None:
        raise ValueError(f"sampling mode `{mode}`")
    if mode == "DEFAULT":
        offsets = np.minimum(offsets, span - 1)
    return start + (offsets if end >= start else -offsets)


def _crop_resize(
    context: Context, x: Array, *, roi: Array | None = None, boxes: Array | None = None,
    box_indices: Array | None = None, target_height: Array | int = 1, target_width: Array | int = 1,
    normalized_coordinates: Array | bool = False, spatial_scale: Array | float = 1.0,
    box_coordinate_mode: str = "CORNERS_HEIGHT_FIRST", sampling_mode: str = "DEFAULT",
    pad_value: Array | float = 0.0,
) -> Array:  # fmt: skip
    """Before iOS 17, `roi` is [N, 1, 4 or 5, 1, 1]; every box is cut from every image unless it begins with an index.

    From iOS 16 on, a sample outside the image is `pad_value`; in iOS 15, it is the nearest pixel.
    """
    height, width = x.shape[2:]
    size = integer(target_height), integer(target_width)

    def cut(images: Array, box: Array) -> Array:
        scale = np.float64(np.asarray(spatial_scale))
        top, left, bottom, right = (v * scale for v in _corners(box, box_coordinate_mode))
        if normalized_coordinates:
            top, bottom, left, right = (
                top * (height - 1),
                bottom * (height - 1),
                left * (width - 1),
                right * (width - 1),
            )
        rows, columns = _points(top, bottom, size[0], sampling_mode), _points(left, right, size[1], sampling_mode)
        py, px = np.meshgrid(rows, columns, indexing="ij")
        # A coordinate that is beyond the border only by rounding counts as on it.
        slack = 1e-4
        outside = (py < -slack) | (py > height - 1 + slack) | (px < -slack) | (px > width - 1 + slack)
        py, px = np.clip(py, 0, height - 1), np.clip(px, 0, width - 1)
        pixels = np.stack([_bilinear(image, py, px, "border", np.float32(0)) for image in images])
        return np.where(outside, np.float32(pad_value), pixels) if context.opset >= 16 else pixels

    if boxes is not None:
        index = np.arange(len(boxes)) if box_indices is None else box_indices.astype(np.int64)
        return np.stack([cut(x[i : i + 1], box)[0] for i, box in zip(index, boxes, strict=True)])
    if roi is None:
        raise ValueError("crop_resize needs boxes")
    rows = roi.reshape(roi.shape[0], -1)
    if rows.shape[1] == 4:
        return np.stack([cut(x, row) for row in rows])
    return np.stack([cut(x[int(row[0]) : int(row[0]) + 1], row[1:]) for row in rows])


OPS: Table = {
    "resample": Op(_resample),
    "affine": Op(_affine),
    "crop_resize": Op(_crop_resize, context=True),
}
