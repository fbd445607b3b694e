"""Resizes to computed sizes, for which MIL has no operation."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.ops.image import Resize
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


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
            return Miss("a size depends on another axis")
        y = op.x
        for axis in op.axes:
            if op.x.shape[axis] != op.y.shape[axis]:
                y = g.op("Gather", y, _indices(op, axis, g), axis=axis)
        y.shape = op.y.shape
        return [y]


def _indices(op: Resize, axis: int, g: GraphBuilder) -> Value:
    """For each new position, position · old size / new size, rounded down."""
    assert op.sizes_value is not None
    place = op.axes.index(axis)
    new = g.op("Slice", op.sizes_value, g.ints(place), g.ints(place + 1), g.ints(0))
    zero, one = (g.const(np.asarray(n, dtype=np.int64)) for n in (0, 1))
    places = g.op("Range", zero, g.op("Squeeze", new, g.ints(0)), one)
    return g.op("Div", g.op("Mul", places, g.op("Shape", op.x, start=axis, end=axis + 1)), new)
