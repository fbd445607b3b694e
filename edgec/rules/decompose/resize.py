"""Resizes without a kernel on the target, as constant matrices along each axis; exact for every mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.image import Resize
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

Matrix = NDArray[np.float64]


class ResizeToMatMul(Rule):
    """Resize(x) -> a product with a constant (out, in) matrix along each resized axis, by ONNX's definition."""

    name = "resize-to-matmul"
    roots = ("Resize",)
    examples = (
        Example(
            "float[1,2,4,4] x",
            'y = Resize<mode = "cubic">(x, , s)',
            "t = MatMul(c, x)  y = MatMul(t, d)",
            constants="float[4] s = {1, 1, 2, 2}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Resize.decode(Reader(node))
        shape, out = static_shape(op.x), op.out_shape
        if shape is None or out is None or op.scales is None or op.roi is None:
            return Miss("the sizes are not static")
        matrices = axis_matrices(op)
        if matrices is None:
            return NOT_HERE
        dtype = op.x.dtype or ir.DataType.FLOAT
        if dtype.is_integer() and (op.mode != "nearest" or dtype.bitwidth > _EXACT_BITS):
            return Miss(f"{dtype} cannot be interpolated")
        y = g.op("Cast", op.x, to=int(ir.DataType.FLOAT)) if dtype.is_integer() else op.x
        for axis, matrix in matrices.items():
            y = _along(y, matrix, axis, g)
        if op.transform == "tf_crop_and_resize":
            y = _extrapolate(op, y, g)
        y = g.op("Cast", y, to=int(dtype)) if dtype.is_integer() else y
        return [y if y is not op.x else g.op("Identity", y)]


_EXACT_BITS = 16
"""Width of integers that float32 represents exactly."""


def axis_matrices(op: Resize) -> dict[int, Matrix] | None:
    """The (out, in) matrix of every axis that is resized; None if a size or scale is not known."""
    shape, out = static_shape(op.x), op.out_shape
    if shape is None or out is None or op.scales is None or op.roi is None:
        return None
    found = {}
    for axis, (size, new, scale) in enumerate(zip(shape, out, op.scales, strict=True)):
        if size == new and scale == 1.0 and op.transform != "tf_crop_and_resize":
            continue
        found[axis] = interpolation_matrix(op, axis, size, new, scale)
    return found


def interpolation_matrix(op: Resize, axis: int, size: int, out: int, scale: float) -> Matrix:
    """The (out, in) interpolation matrix of one axis: row i has the weights of output i (ONNX Resize, opset 19)."""
    if op.mode == "nearest":
        return np.asarray(np.eye(size)[nearest_indices(op, axis, size, out, scale)])
    at = coordinates(op, axis, size, out, scale)
    shrink = min(scale, 1.0) if op.antialias else 1.0
    kernel, reach = (_triangle, 1.0) if op.mode == "linear" else (lambda t: _cubic(t, op.cubic_a), 2.0)
    matrix = np.zeros((out, size))
    for i, x in enumerate(at):
        first = int(np.floor(x - reach / shrink))
        taps = np.arange(first, int(np.ceil(x + reach / shrink)) + 1)
        weights = kernel((taps - x) * shrink)
        if op.exclude_outside:
            inside = (taps >= 0) & (taps < size)
            taps, weights = taps[inside], weights[inside]
        if op.exclude_outside or op.antialias:
            weights = weights / weights.sum()
        np.add.at(matrix[i], np.clip(taps, 0, size - 1), weights)
    return matrix


def nearest_indices(op: Resize, axis: int, size: int, out: int, scale: float) -> NDArray[np.int64]:
    """The input index of each output along one axis in mode nearest (ONNX's `nearest_mode`).

    Coordinates are computed in float32, as in ONNX Runtime: the rounding decides between two neighbours.
    """
    at = coordinates(op, axis, size, out, scale, np.float32)
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


def whole_factors(op: Resize, spatial: tuple[int, ...]) -> dict[int, int] | None:
    """The scale of each axis, if all are integers and given as scales, else None."""
    if op.scales is None or op.sizes_value is not None:
        return None
    if any(scale != 1.0 for i, scale in enumerate(op.scales) if i not in spatial):
        return None
    factors = {i: int(op.scales[i]) for i in spatial}
    return factors if all(op.scales[i] == factor for i, factor in factors.items()) else None


def repeats(op: Resize, axis: int, factors: dict[int, int]) -> bool:
    """Whether the resize repeats each element `factor` times, whatever the size."""
    k = factors[axis]
    wanted = [nearest_indices(op, axis, size, size * k, float(k)) for size in _TRIED]
    return all(np.array_equal(w, np.arange(size * k) // k) for w, size in zip(wanted, _TRIED, strict=True))


_TRIED = (1, 2, 3, 7, 40)
"""Sizes that are tried to represent all: an integer factor repeats one pattern."""


def coordinates(
    op: Resize, axis: int, size: int, out: int, scale: float, kind: type[np.floating[Any]] = np.float64
) -> NDArray[np.floating[Any]]:
    """Input coordinates of each output (ONNX's `coordinate_transformation_mode`), computed in the float type `kind`."""
    x, factor = np.arange(out, dtype=kind), kind(scale)
    length = factor * size
    match op.transform:
        case "half_pixel":
            return np.asarray((x + 0.5) / factor - 0.5)
        case "half_pixel_symmetric":
            adjustment = out / length
            center = size / 2
            return np.asarray(center * (1 - adjustment) + (x + 0.5) / factor - 0.5)
        case "pytorch_half_pixel":
            return np.asarray((x + 0.5) / factor - 0.5 if length > 1 else np.zeros(out))
        case "align_corners":
            return np.asarray(x * (size - 1) / (length - 1) if length > 1 else np.zeros(out))
        case "asymmetric":
            return np.asarray(x / factor)
        case _:
            assert op.roi is not None
            start, end = op.roi[axis], op.roi[axis + len(op.roi) // 2]
            if length > 1:
                return np.asarray(start * (size - 1) + x * (end - start) * (size - 1) / (length - 1))
            return np.full(out, 0.5 * (start + end) * (size - 1))


def _triangle(t: Matrix) -> Matrix:
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(t)))


def _cubic(t: Matrix, a: float) -> Matrix:
    """Keys, "Cubic convolution interpolation for digital image processing", 1981."""
    t = np.abs(t)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.asarray(np.where(t <= 1, near, np.where(t < 2, far, 0.0)))


def _along(x: Value, matrix: Matrix, axis: int, g: GraphBuilder) -> Value:
    """Apply a matrix along one axis; the last two need no transposes."""
    rank = len(x.shape or ())
    if axis == rank - 1:
        return g.op("MatMul", x, g.const(matrix.T, dtype=x.dtype))
    if axis == rank - 2:
        return g.op("MatMul", g.const(matrix, dtype=x.dtype), x)
    perm = [i for i in range(rank) if i != axis] + [axis]
    y = g.op("MatMul", g.op("Transpose", x, perm=perm), g.const(matrix.T, dtype=x.dtype))
    return g.op("Transpose", y, perm=[int(i) for i in np.argsort(perm)])


def _extrapolate(op: Resize, y: Value, g: GraphBuilder) -> Value:
    """Outside the image, the result of tf_crop_and_resize is a fixed value."""
    shape, out = static_shape(op.x), op.out_shape
    assert shape is not None
    assert out is not None
    assert op.scales is not None
    outside = np.zeros(out, dtype=bool)
    for axis, (size, new, scale) in enumerate(zip(shape, out, op.scales, strict=True)):
        at = coordinates(op, axis, size, new, scale)
        beyond = (at < 0) | (at > size - 1)
        outside |= beyond.reshape([-1 if i == axis else 1 for i in range(len(out))])
    return g.op("Where", g.const(outside), g.like(op.extrapolation, y), y)
