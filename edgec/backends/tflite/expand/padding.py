"""Padding and masks without a TFLite kernel, as gathers and selects with constant indices and masks."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.backends.tflite.legality.shape import is_mirror
from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.ops.shape import Pad, Trilu
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class PadByIndices(Rule):
    """Pad that repeats elements (edge, wrap, or reflect beyond the axis) -> a Gather along each padded axis."""

    name = "pad-by-indices"
    roots = ("Pad",)
    examples = (
        Example("float[2,4] x", 'y = Pad<mode = "edge">(x, p)', "y = Gather<axis = 1>(x, i)", "int64[4] p = {0,1,0,2}"),
        Example("float[2,4] x", 'y = Pad<mode = "reflect">(x, p)', None, "int64[4] p = {0,1,0,2}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Pad.decode(Reader(node))
        shape = static_shape(op.x)
        if op.mode == "constant" or is_mirror(op):
            return NOT_HERE
        if op.begin is None or op.end is None or op.x.shape is None:
            return Miss("the padding is computed by the model")
        if shape is None:
            return _of_open_sizes(op, g)
        y = op.x
        for axis, (size, begin, end) in enumerate(zip(shape, op.begin, op.end, strict=True)):
            if begin or end:
                y = g.op("Gather", y, g.const(_indices(size, begin, end, op.mode)), axis=axis)
        return [y if y is not op.x else g.op("Identity", y)]


def _of_open_sizes(op: Pad, g: GraphBuilder) -> Replacement | Miss:
    """For open sizes: indices computed at run time, clamped (edge) or modulo the size (wrap)."""
    assert op.begin is not None
    assert op.end is not None
    if op.mode == "reflect":
        return Miss("a reflection may be longer than an open axis")
    y, one = op.x, g.const(np.asarray(1, dtype=np.int64))
    for axis, (begin, end) in enumerate(zip(op.begin, op.end, strict=True)):
        if not begin and not end:
            continue
        size = g.op("Squeeze", g.op("Shape", op.x, start=axis, end=axis + 1), g.ints(0))
        limit = g.op("Add", size, g.const(np.asarray(end, dtype=np.int64)))
        places = g.op("Range", g.const(np.asarray(-begin, dtype=np.int64)), limit, one)
        if op.mode == "edge":
            low = g.op("Max", places, g.const(np.asarray(max(0, -begin), dtype=np.int64)))
            last = g.op("Sub", size, g.const(np.asarray(1 + max(0, -end), dtype=np.int64)))
            places = g.op("Min", low, last)
        else:
            places = g.op("Mod", places, size)
        y = g.op("Gather", y, places, axis=axis)
        y.shape = ir.Shape([d if isinstance(d, int) or i != axis else None for i, d in enumerate(y.shape or ())])
    y.shape = op.y.shape
    return [y]


def _indices(size: int, begin: int, end: int, mode: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The source index of each position of a padded axis. A negative side crops first."""
    kept = np.arange(max(0, -begin), size - max(0, -end), dtype=np.int64)
    sides = (max(0, begin), max(0, end))
    if mode == "edge":
        return np.pad(kept, sides, mode="edge")
    return np.pad(kept, sides, mode="wrap") if mode == "wrap" else np.pad(kept, sides, mode="reflect")


class TriluToWhere(Rule):
    """Trilu(x) -> Where(triangle, x, 0) with the triangle as a constant."""

    name = "trilu-to-where"
    roots = ("Trilu",)
    examples = (Example("float[3,4] x", "y = Trilu(x)", "y = Where(t, x, o)"),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Trilu.decode(Reader(node))
        shape = static_shape(op.x)
        if shape is None or op.k is None:
            return Miss("the shape or `k` is unknown")
        ones = np.ones(shape[-2:], dtype=bool)
        triangle = np.triu(ones, op.k) if op.upper else np.tril(ones, op.k)
        return [g.op("Where", g.const(triangle), op.x, g.like(0, op.x))]
