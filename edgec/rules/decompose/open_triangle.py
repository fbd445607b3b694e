"""Triangles with open sizes or a computed diagonal, by comparing row and column indices."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.shape import Trilu
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class OpenTriangle(Rule):
    """Trilu(x, k) -> Where(row + k <= column, x, 0), `>=` for the lower triangle, And for bools."""

    name = "open-triangle"
    roots = ("Trilu",)
    examples = (
        Example(
            "float[3,n] x",
            "y = Trilu(x)",
            "s = Shape<start = 0, end = 1>(x)  r = Squeeze(s, z)  i = Range(o, r, e)  c = Unsqueeze(i, u)  "
            "t = Shape<start = 1, end = 2>(x)  q = Squeeze(t, z)  j = Range(o, q, e)  "
            "k = LessOrEqual(c, j)  y = Where(k, x, f)",
        ),
        Example("float[3,4] x", "y = Trilu(x)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Trilu.decode(Reader(node))
        if op.k is not None and static_shape(op.x) is not None:
            return NOT_HERE
        if op.x.shape is None:
            return Miss("the rank is not known")
        rank = len(op.x.shape)
        rows = g.op("Unsqueeze", _positions(op.x, rank - 2, g), g.ints(1))
        if op.k != 0:
            k = g.const(np.asarray(op.k, dtype=np.int64)) if op.k is not None else node.inputs[1]
            rows = g.op("Add", rows, k)
        kept = g.op("LessOrEqual" if op.upper else "GreaterOrEqual", rows, _positions(op.x, rank - 1, g))
        is_bool = op.x.dtype == ir.DataType.BOOL
        y = g.op("And", kept, op.x) if is_bool else g.op("Where", kept, op.x, g.like(0, op.x))
        y.shape = op.y.shape
        return [y]


def _positions(x: Value, axis: int, g: GraphBuilder) -> Value:
    size = g.op("Squeeze", g.op("Shape", x, start=axis, end=axis + 1), g.ints(0))
    zero, one = (g.const(np.asarray(i, dtype=np.int64)) for i in (0, 1))
    return g.op("Range", zero, size, one)
