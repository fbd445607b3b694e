"""Average pools with padding and open sizes: the number of counted elements is pooled as well."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.pool import AveragePool
from edgec.ops.spatial import Window, rounded_up, rounds_up_by_padding
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class CountedMean(Rule):
    """AveragePool with padding -> AveragePool(Pad(x)) / AveragePool(Pad(ones)), the counted share of each window."""

    name = "counted-mean"
    roots = ("AveragePool",)
    examples = (Example("float[1,2,4,4] x", "y = AveragePool<kernel_shape = [3,3], pads = [1,1,1,1]>(x)", None),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = AveragePool.decode(Reader(node))
        is_static = static_shape(op.x) is not None and static_shape(op.y) is not None
        reaches = op.ceil_mode or op.window.has_padding
        if is_static or op.x.shape is None or any(d != 1 for d in op.window.dilations) or not reaches:
            return NOT_HERE
        if op.ceil_mode and not rounds_up_by_padding(op.window):
            return Miss("the number of windows depends on an open size")
        whole = rounded_up(op.window) if op.ceil_mode else op.window
        total = self._pooled(g.op("Pad", op.x, _pads(whole.pads_begin, whole.pads_end, g), g.like(0, op.x)), whole, g)
        counts = self._pooled(_counted(op, whole, g), whole, g)
        y = g.op("Div", total, counts)
        y.shape = op.y.shape
        return [y]

    def _pooled(self, x: Value, window: Window, g: GraphBuilder) -> Value:
        return g.op("AveragePool", x, kernel_shape=list(window.kernel), strides=list(window.strides))


def _counted(op: AveragePool, whole: Window, g: GraphBuilder) -> Value:
    """(1, 1, spatial…): 1 for each element that counts, 0 in the padding around them."""
    own, rank = op.window, len(op.window.kernel)
    sizes = g.op("Shape", op.x, start=2)
    begin, end = whole.pads_begin, whole.pads_end
    if op.count_include_pad:
        more = [p + q for p, q in zip(own.pads_begin, own.pads_end, strict=True)]
        sizes = g.op("Add", sizes, g.ints(*more))
        begin, end = (0,) * rank, tuple(q - p for q, p in zip(whole.pads_end, own.pads_end, strict=True))
    shape = g.op("Concat", g.ints(1, 1), sizes, axis=0)
    ones = g.op("Expand", g.const(np.ones((1,) * (rank + 2)), dtype=op.x.dtype), shape)
    ones.shape = ir.Shape(
        [1, 1, *(d if isinstance(d, int) and not op.count_include_pad else None for d in (op.x.shape or ())[2:])]
    )
    return g.op("Pad", ones, _pads(begin, end, g), g.like(0, op.x)) if any((*begin, *end)) else ones


def _pads(begin: tuple[int, ...], end: tuple[int, ...], g: GraphBuilder) -> Value:
    return g.ints(0, 0, *begin, 0, 0, *end)
