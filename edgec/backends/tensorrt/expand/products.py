"""Integer matrix products, which TensorRT lacks, as products and a sum, which it has in int32 and int64."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import rank
from edgec.ops.base import Reader, Value
from edgec.ops.linear import Gemm
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

_INTEGERS = (ir.DataType.INT32, ir.DataType.INT64)


class IntegerProductToReduce(Rule):
    """MatMul and Gemm of int32 or int64 -> ReduceSum(Mul) over a new axis, which needs memory for every product."""

    name = "integer-product-to-reduce"
    roots = ("MatMul", "Gemm")
    examples = (
        Example(
            "int32[2,3] x, int32[3,4] z",
            "y = MatMul(x, z)",
            "a = Unsqueeze(x, c)  b = Unsqueeze(z, d)  e = Mul(a, b)  y = ReduceSum<keepdims = 0>(e, f)",
            output="int32",
        ),
        Example("float[2,3] x, float[3,4] z", "y = MatMul(x, z)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        if node.outputs[0].dtype not in _INTEGERS:
            return NOT_HERE
        if node.op_type == "MatMul":
            a, b = Reader(node).input(0), Reader(node).input(1)
            if min(rank(a) or 0, rank(b) or 0) < 2:
                return Miss("an operand is a vector, or of unknown rank")
            return [_product(a, b, g)]
        op = Gemm.decode(Reader(node))
        if op.alpha != 1 or op.beta != 1:
            return Miss("alpha or beta is not 1")
        a, b = (g.op("Transpose", v, perm=[1, 0]) if t else v for v, t in ((op.a, op.trans_a), (op.b, op.trans_b)))
        found = _product(a, b, g)
        return [found if op.c is None else g.op("Add", found, op.c)]


def _product(a: Value, b: Value, g: GraphBuilder) -> Value:
    """(…, M, K) and (…, K, N) as (…, M, K, N), summed over K."""
    products = g.op("Mul", g.op("Unsqueeze", a, g.ints(-1)), g.op("Unsqueeze", b, g.ints(-3)))
    return g.op("ReduceSum", products, g.ints(-2), keepdims=0)
