"""Resizes: the MIL operation that computes one exactly, and rules for those that have none."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.image import Resize
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.resize import ResizeToMatMul, nearest_indices, repeats, whole_factors

SAMPLING = {
    "half_pixel": "UNALIGN_CORNERS",
    "pytorch_half_pixel": "UNALIGN_CORNERS",
    "align_corners": "STRICT_ALIGN_CORNERS",
    "asymmetric": "DEFAULT",
}
"""`resize_bilinear`'s sampling mode for each of ONNX's coordinate transforms."""

_SPATIAL = (2, 3)


def is_bilinear(op: Resize) -> bool:
    """Whether `resize_bilinear` computes exactly this."""
    shape, out = static_shape(op.x), op.out_shape
    if shape is None or out is None or op.scales is None or len(shape) != 4 or shape[:2] != out[:2]:
        return False
    exact = all(abs(o / i - s) < 1e-6 for i, o, s in zip(shape, out, op.scales, strict=True))
    exact = exact or op.transform == "align_corners"
    shrinks = op.antialias and any(s < 1 for s in op.scales)
    return op.mode == "linear" and op.transform in SAMPLING and exact and not shrinks and min(out[2:]) > 1


def native_operation(op: Resize) -> str | None:
    """The MIL operation by whole factors, or (from iOS 17 on) to computed sizes. Images of known sizes that are not
    repeated element by element have `resize_bilinear`, or none.
    """
    before, after = op.x.shape, op.y.shape
    if before is None or after is None or len(before) != 4 or tuple(before[:2]) != tuple(after[:2]) or op.antialias:
        return None
    if op.mode == "nearest":
        return "upsample_nearest_neighbor" if repetitions(op) else None
    if (op.out_shape is not None and static_shape(op.x) is not None) or op.transform not in SAMPLING:
        return None
    if op.mode == "linear" and whole_factors(op, _SPATIAL) is not None:
        return "upsample_bilinear"
    stretched = op.mode == "linear" and op.is_stretched and op.axes[-2:] == _SPATIAL
    return "resize" if op.sizes_value is not None and stretched else None


def repetitions(op: Resize) -> dict[int, int] | None:
    """How often a nearest resize takes each row and column in turn; None where it does anything else."""
    shape, out, scales = static_shape(op.x), op.out_shape, op.scales
    if shape is None or out is None or scales is None:
        factors = whole_factors(op, _SPATIAL)
        return factors if factors is not None and all(repeats(op, i, factors) for i in _SPATIAL) else None
    if op.transform == "tf_crop_and_resize" or op.x.dtype not in (ir.DataType.FLOAT, ir.DataType.FLOAT16):
        return None
    if any(size == 0 or new % size for size, new in zip(shape, out, strict=True)):
        return None
    factors = {i: out[i] // shape[i] for i in _SPATIAL}
    taken = {i: nearest_indices(op, i, shape[i], out[i], scales[i]) for i in _SPATIAL}
    return factors if all(np.array_equal(taken[i], np.arange(out[i]) // k) for i, k in factors.items()) else None


class UnsupportedResizeToMatMul(ResizeToMatMul):
    """Resize without an exact MIL operation -> products with constant matrices."""

    name = "unsupported-resize-to-matmul"
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
        if is_bilinear(op) or native_operation(op):
            return NOT_HERE
        return super().apply(node, g)


class NearestToGather(Rule):
    """Resize (nearest, floor) to computed sizes -> Gather by computed indices along each axis."""

    name = "nearest-to-gather"
    roots = ("Resize",)
    examples = (Example("float[1,1,2,2] x", 'y = Resize<mode = "nearest">(x, , s)', None, "float[4] s = {1, 1, 2, 2}"),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Resize.decode(Reader(node))
        computed = op.sizes_value is not None and op.out_shape is None
        if not computed or (op.mode, op.transform, op.nearest) != ("nearest", "asymmetric", "floor"):
            return NOT_HERE
        if op.x.shape is None or op.y.shape is None or not op.is_stretched:
            return Miss("a size is taken from another axis")
        y = op.x
        for axis in op.axes:
            if op.x.shape[axis] != op.y.shape[axis]:
                y = g.op("Gather", y, _indices(op, axis, g), axis=axis)
        y.shape = op.y.shape
        return [y]


def _indices(op: Resize, axis: int, g: GraphBuilder) -> Value:
    """For each place of the new size, place · old size / new size, rounded down."""
    assert op.sizes_value is not None
    place = op.axes.index(axis)
    new = g.op("Slice", op.sizes_value, g.ints(place), g.ints(place + 1), g.ints(0))
    zero, one = (g.const(np.asarray(n, dtype=np.int64)) for n in (0, 1))
    places = g.op("Range", zero, g.op("Squeeze", new, g.ints(0)), one)
    return g.op("Div", g.op("Mul", places, g.op("Shape", op.x, start=axis, end=axis + 1)), new)
