"""Operators that TensorRT's parser supports only with two or more dimensions."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import rank
from edgec.ops.base import Reader
from edgec.ops.reduce import ArgReduce
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class VectorToRow(Rule):
    """Softmax, LogSoftmax, ArgMax and ArgMin of a vector -> the same on a matrix of one row."""

    name = "vector-to-row"
    roots = ("Softmax", "LogSoftmax", "ArgMax", "ArgMin")
    examples = (
        Example(
            "float[5] x",
            "y = ArgMax<keepdims = 0>(x)",
            "r = Unsqueeze(x, z)  i = ArgMax<axis = 1, keepdims = 0>(r)  y = Squeeze(i, z)",
            output="int64",
        ),
        Example(
            "float[5] x",
            "y = ArgMin(x)",
            "r = Unsqueeze(x, z)  i = ArgMin<axis = 1>(r)  y = Squeeze(i, z)",
            output="int64",
        ),
        Example("float[5] x", "y = Softmax(x)", "r = Unsqueeze(x, z)  s = Softmax(r)  y = Squeeze(s, z)"),
        Example("float[2,5] x", "y = Softmax(x)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x = r.input(0)
        if rank(x) != 1:
            return NOT_HERE
        row = g.op("Unsqueeze", x, g.ints(0))
        if node.op_type in ("ArgMax", "ArgMin"):
            op = ArgReduce.decode(r)
            keep, last = int(op.keepdims), int(op.select_last)
            found = g.op(op.kind, row, axis=1, keepdims=keep, select_last_index=last)
        else:
            found = g.op(node.op_type, row, axis=1)
        return [g.op("Squeeze", found, g.ints(0))]
