"""Sorting and searching in orders that TFLite's kernels lack."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.reduce import ArgReduce, TopK
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class LastArgument(Rule):
    """ArgMax or ArgMin that selects the last of equals -> the first on the reversed axis, counted from the end."""

    name = "last-argument"
    roots = ("ArgMax", "ArgMin")
    examples = (
        Example(
            "float[2,5] x",
            "y = ArgMax<axis = 1, select_last_index = 1>(x)",
            "r = Slice(x, a, b, c, d)  m = ArgMax<axis = 1>(r)  y = Sub(n, m)",
            output="int64",
        ),
        Example("float[2,5] x", "y = ArgMax<axis = 1>(x)", None, output="int64"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ArgReduce.decode(Reader(node))
        shape = static_shape(op.x)
        if not op.select_last:
            return NOT_HERE
        if shape is None:
            return Miss("the shape is not static")
        turned = g.op("Slice", op.x, g.ints(-1), g.ints(-shape[op.axis] - 1), g.ints(op.axis), g.ints(-1))
        first = g.op(node.op_type, turned, axis=op.axis, keepdims=int(op.keepdims))
        return [g.op("Sub", g.const(np.asarray(shape[op.axis] - 1, dtype=np.int64)), first)]


class WideArgument(Rule):
    """ArgMax or ArgMin of 64-bit integers -> the index from TopK."""

    name = "wide-argument"
    roots = ("ArgMax", "ArgMin")
    examples = (
        Example(
            "int64[2,5] x",
            "y = ArgMax<axis = 1>(x)",
            "v, y = TopK<axis = 1>(x, k)",
            output="int64",
        ),
        Example("float[2,5] x", "y = ArgMax<axis = 1>(x)", None, output="int64"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ArgReduce.decode(Reader(node))
        if op.x.dtype != ir.DataType.INT64 or op.select_last:
            return NOT_HERE
        _, index = g.multi("TopK", 2, op.x, g.ints(1), axis=op.axis, largest=int(op.kind == "ArgMax"))
        return [index if op.keepdims else g.op("Squeeze", index, g.ints(op.axis))]


class SmallestByLargest(Rule):
    """TopK of the smallest -> TopK of the largest with the order reversed (Neg; -1 - x for integers)."""

    name = "smallest-by-largest"
    roots = ("TopK",)
    examples = (
        Example(
            "float[2,5] x",
            "y, i = TopK<largest = 0>(x, k)",
            "n = Neg(x)  v, i = TopK<axis = -1>(n, k)  y = Neg(v)",
            constants="int64[1] k = {2}",
        ),
        Example("float[2,5] x", "y, i = TopK(x, k)", None, constants="int64[1] k = {2}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = TopK.decode(Reader(node))
        if op.largest:
            return NOT_HERE
        values, index = g.multi("TopK", 2, _turned(op.x, g), op.k_value, axis=op.axis, sorted=int(op.sorted))
        return [_turned(values, g), index]


def _turned(x: Value, g: GraphBuilder) -> Value:
    """Reverse the order, without overflow at the smallest integer."""
    if x.dtype is not None and x.dtype.is_floating_point():
        return g.op("Neg", x)
    return g.op("Sub", g.like(-1, x), x)
