"""Matrix products in the forms that TFLite's kernels take."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, is_constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.linear import Gemm, MatMul
from edgec.rules.base import NOT_HERE, Miss, Replacement, Rule


class GemmToFullyConnected(Rule):
    """Gemm -> Gemm with transB, a constant weight and a constant vector; MatMul and Add where that cannot be."""

    name = "gemm-to-fully-connected"
    roots = ("Gemm",)
    examples = ()

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Gemm.decode(Reader(node))
        weight, bias = constant(op.b), constant(op.c)
        fits = op.c is None or (is_constant(op.c) and len(static_shape(op.c) or ()) == 1)
        if weight is None or not fits or op.trans_a:
            return self._pieces(op, g)
        if op.trans_b and op.alpha == 1 and (op.c is None or op.beta == 1):
            return NOT_HERE
        straight = weight if op.trans_b else weight.T
        b = g.const(straight if op.alpha == 1 else (straight * op.alpha).astype(weight.dtype))  # type: ignore[operator]
        if bias is None:
            return [g.op("Gemm", op.a, b, transB=1)]
        c = op.c if op.beta == 1 else g.const((bias * op.beta).astype(bias.dtype))  # type: ignore[operator]
        return [g.op("Gemm", op.a, b, c, transB=1)]

    def _pieces(self, op: Gemm, g: GraphBuilder) -> Replacement:
        a = g.op("Transpose", op.a, perm=[1, 0]) if op.trans_a else op.a
        b = g.op("Transpose", op.b, perm=[1, 0]) if op.trans_b else op.b
        y = g.op("MatMul", a, b)
        if op.alpha != 1:
            y = g.op("Mul", y, g.like(op.alpha, y))
        if op.c is not None:
            y = g.op("Add", y, op.c if op.beta == 1 else g.op("Mul", op.c, g.like(op.beta, y)))
        return [y]


class MatMulVectors(Rule):
    """MatMul with a rank-1 operand -> MatMul of matrices between reshapes."""

    name = "matmul-vectors"
    roots = ("MatMul",)
    examples = ()

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = MatMul.decode(Reader(node))
        a, b, out = static_shape(op.a), static_shape(op.b), static_shape(node.outputs[0])
        if a is None or b is None or out is None or (len(a) > 1 and len(b) > 1):
            return NOT_HERE
        left = g.op("Reshape", op.a, g.ints(1, a[0])) if len(a) == 1 else op.a
        right = g.op("Reshape", op.b, g.ints(b[0], 1)) if len(b) == 1 else op.b
        return [g.op("Reshape", g.op("MatMul", left, right), g.ints(*out))]
