"""Reshapes that copy open dimensions, for kernels that do not accept 0 in a shape."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader
from edgec.ops.shape import Reshape
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class CopiedSizes(Rule):
    """Reshape whose constant shape copies several open dimensions -> Reshape to a computed shape."""

    name = "copied-sizes"
    roots = ("Reshape",)
    examples = (Example("float[2,6] x", "y = Reshape(x, s)", None, constants="int64[3] s = {0, 2, -1}"),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Reshape.decode(Reader(node))
        out = op.y.shape
        if op.shape is None or 0 not in op.shape or op.allow_zero or out is None or op.x.shape is None:
            return NOT_HERE
        if sum(not isinstance(size, int) for size in out) < 2:
            return NOT_HERE
        parts = [
            g.op("Shape", op.x, start=axis, end=axis + 1) if size == 0 else g.ints(size)
            for axis, size in enumerate(op.shape)
        ]
        y = g.op("Reshape", op.x, g.op("Concat", *parts, axis=0))
        y.shape = out
        return [y]
