"""Fourier transforms of constant length, as products with constant matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule

Matrix = NDArray[np.float64]

LARGEST = 1 << 22
"""The largest number of elements of a transform's matrix (16 MiB in float32)."""


def dft_matrix(inputs: int, length: int, bins: int, inverse: bool) -> Matrix:
    """(length, inputs, bins, 2): the weights of each sample's `inputs` parts (real, imaginary) in each bin's parts."""
    cos, sin = _turns(length, bins, length)
    sin = sin if inverse else 0 - sin
    from_real = np.stack([cos, sin], axis=-1)
    parts = [from_real] if inputs == 1 else [from_real, np.stack([0 - sin, cos], axis=-1)]
    return np.asarray(np.stack(parts, axis=1) / (length if inverse else 1))


def half_inverse_matrix(bins: int, length: int) -> Matrix:
    """(bins, 2, length, 1): a real signal from the first half of its spectrum, whose other half is conjugate."""
    cos, sin = _turns(bins, length, length)
    twice = np.full((bins, 1), 2.0)
    twice[0] = 1.0
    if length % 2 == 0:
        twice[length // 2 :] = 1.0
    return np.asarray((np.stack([cos * twice, 0 - sin * twice], axis=1) / length)[..., None])


def _turns(rows: int, columns: int, length: int) -> tuple[Matrix, Matrix]:
    """Cosine and sine of 2π jk / length, with exact zeros, so that a real sum has no imaginary part."""
    step = np.outer(np.arange(rows), np.arange(columns)) % length
    angle = 2 * np.pi * step / length
    straight = 2 * step % length == 0
    upright = (4 * step % length == 0) & ~straight
    return np.where(upright, 0.0, np.cos(angle)), np.where(straight, 0.0, np.sin(angle))


class DftToMatMul(Rule):
    """DFT(x; length, axis) -> x @ a constant matrix of cosines and sines (constant length and axis)."""

    name = "dft-to-matmul"
    roots = ("DFT",)
    examples = (
        Example(
            "float[2,4,1] x",
            "y = DFT(x, , axis)",
            "f = Reshape(x, s)  m = MatMul(f, w)  y = Reshape(m, t)",
            constants="int64 axis = {1}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x = r.input(0)
        given, axis = r.const_ints(1), (-2,) if r.optional(2) is None else r.const_ints(2)
        if x.shape is None or axis is None or (r.optional(1) is not None and given is None):
            return Miss("the length or the axis is not constant")
        shape = tuple(size if isinstance(size, int) else 0 for size in x.shape)
        along, parts = r.axis(axis[0], len(shape)), shape[-1]
        if not shape[along] or not parts:
            return Miss("the size of the axis is open")
        half, inverse = bool(r.integer("onesided", 0)), bool(r.integer("inverse", 0))
        from_half = half and inverse
        length = given[0] if given else (2 * (shape[along] - 1) if from_half else shape[along])
        taken = length // 2 + 1 if from_half else length
        if length * taken * 4 > LARGEST:
            return Miss(f"a transform of length {length} needs a matrix of more than {LARGEST} elements")
        if from_half:
            matrix = half_inverse_matrix(taken, length)
        else:
            matrix = dft_matrix(parts, length, length // 2 + 1 if half else length, inverse)
        return [_transform(_fitted(x, shape, along, taken, g), along, matrix, g)]


def _fitted(x: Value, shape: tuple[int, ...], axis: int, size: int, g: GraphBuilder) -> Value:
    """The axis cropped, or padded with zeros at its end, to a size."""
    if shape[axis] > size:
        return g.op("Slice", x, g.ints(0), g.ints(size), g.ints(axis))
    if shape[axis] == size:
        return x
    pads = [0] * (2 * len(shape))
    pads[len(shape) + axis] = size - shape[axis]
    return g.op("Pad", x, g.ints(*pads))


def _transform(x: Value, axis: int, matrix: Matrix, g: GraphBuilder) -> Value:
    """Contract an axis and the last one (the parts) with a matrix (size, parts, new size, new parts)."""
    shape = x.shape or ir.Shape([])
    rank = len(shape)
    size, parts, bins, new_parts = matrix.shape
    order = [i for i in range(rank - 1) if i != axis] + [axis, rank - 1]
    moved = x if order == sorted(order) else g.op("Transpose", x, perm=order)
    outer = _copied([shape[i] for i in order[:-2]])
    flat = g.op("Reshape", moved, g.ints(*outer, size * parts))
    weight = g.const(matrix.reshape(size * parts, bins * new_parts), dtype=x.dtype)
    found = g.op("Reshape", g.op("MatMul", flat, weight), g.ints(*outer, bins, new_parts))
    return found if moved is x else g.op("Transpose", found, perm=[int(i) for i in np.argsort(order)])


def _copied(sizes: Sequence[int | ir.SymbolicDim]) -> list[int]:
    """Sizes for a Reshape that keeps these dimensions: the first open one is inferred, others are copied."""
    first = next((i for i, size in enumerate(sizes) if not isinstance(size, int)), None)
    return [size if isinstance(size, int) else -1 if i == first else 0 for i, size in enumerate(sizes)]


class StftToConv(Rule):
    """STFT(signal; step, window) -> a 1-D Conv whose filters are the windowed cosines and sines."""

    name = "stft-to-conv"
    roots = ("STFT",)
    examples = (
        Example(
            "float[1,8,1] x",
            "y = STFT(x, step, , length)",
            "r = Reshape(x, s)  c = Conv<strides = [2]>(r, w)  d = Reshape(c, u)  "
            "y = Transpose<perm = [0, 3, 1, 2]>(d)",
            constants="int64 step = {2}, int64 length = {4}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, step, window, given = r.input(0), r.const_ints(1), r.optional(2), r.const_ints(3)
        shape, length = x.shape, given[0] if given else None
        if length is None and window is not None:
            length = (static_shape(window) or (None,))[0]
        parts = 1 if shape is None or len(shape) < 3 else shape[2]
        if shape is None or step is None or length is None or not isinstance(parts, int):
            return Miss("the number of parts, the step or the length is not constant")
        bins = length // 2 + 1 if r.integer("onesided", 1) else length
        if length * bins * 2 * parts > LARGEST:
            return Miss(f"a transform of length {length} needs a matrix of more than {LARGEST} elements")
        filters = dft_matrix(parts, length, bins, inverse=False).transpose(2, 3, 1, 0).reshape(2 * bins, parts, length)
        weight = g.const(filters, dtype=x.dtype)
        if window is not None:
            weight = g.op("Mul", weight, window)
        found = g.op("Conv", _channels_first(x, parts, g), weight, strides=[step[0]])
        size = static_shape(x)
        frames = -1 if size is None else (size[1] - length) // step[0] + 1
        batch = shape[0] if isinstance(shape[0], int) else 0
        return [g.op("Transpose", g.op("Reshape", found, g.ints(batch, bins, 2, frames)), perm=[0, 3, 1, 2])]


def _channels_first(x: Value, parts: int, g: GraphBuilder) -> Value:
    """(batch, parts, samples) from (batch, samples) or (batch, samples, parts)."""
    shape = static_shape(x)
    if parts > 1:
        return g.op("Transpose", x, perm=[0, 2, 1])
    if shape is not None:
        return g.op("Reshape", x, g.ints(shape[0], 1, shape[1]))
    return g.op("Unsqueeze", x, g.ints(1)) if len(x.shape or ()) == 2 else g.op("Transpose", x, perm=[0, 2, 1])
