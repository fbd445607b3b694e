"""Matrix products in forms that TFLite's kernels support."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.backends.groups import aligned, broadcast_grouping
from edgec.backends.tflite.legality.kernels import highest_rank
from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.linear import Gemm, MatMul
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class GemmToMatMul(Rule):
    """Gemm -> MatMul and Add, a constant weight transposed and scaled at compile time; the bias is fused later."""

    name = "gemm-to-matmul"
    roots = ("Gemm",)
    examples = (
        Example(
            "float[2,3] x",
            "y = Gemm<transB = 1, alpha = 2.0>(x, w, c)",
            "m = MatMul(x, v)  y = Add(m, c)",
            constants="float[2,3] w = {1,2,3,4,5,6}, float[2] c = {1,2}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Gemm.decode(Reader(node))
        a = g.op("Transpose", op.a, perm=[1, 0]) if op.trans_a else op.a
        weight = constant(op.b)
        if weight is not None:
            turned = weight.T if op.trans_b else weight
            y = g.op("MatMul", a, g.const(turned if op.alpha == 1 else np.multiply(turned, op.alpha), dtype=op.b.dtype))
        else:
            y = g.op("MatMul", a, g.op("Transpose", op.b, perm=[1, 0]) if op.trans_b else op.b)
            y = y if op.alpha == 1 else g.op("Mul", y, g.like(op.alpha, y))
        if op.c is None:
            return [y]
        return [g.op("Add", y, op.c if op.beta == 1 else g.op("Mul", op.c, g.like(op.beta, y)))]


class MatMulVectors(Rule):
    """MatMul with a rank-1 operand -> MatMul of matrices between reshapes."""

    name = "matmul-vectors"
    roots = ("MatMul",)
    examples = (
        Example(
            "float[3] x, float[3,4] z",
            "y = MatMul(x, z)",
            "t = Reshape(x, c)  v = MatMul(t, z)  y = Reshape(v, d)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = MatMul.decode(Reader(node))
        a, b, out = static_shape(op.a), static_shape(op.b), static_shape(node.outputs[0])
        if a is None or b is None or out is None or (len(a) > 1 and len(b) > 1):
            return NOT_HERE
        left = g.op("Reshape", op.a, g.ints(1, a[0])) if len(a) == 1 else op.a
        right = g.op("Reshape", op.b, g.ints(b[0], 1)) if len(b) == 1 else op.b
        return [g.op("Reshape", g.op("MatMul", left, right), g.ints(*out))]


class MatMulOfFewerBatches(Rule):
    """MatMul above the kernel's rank -> MatMul between reshapes that merge batch dimensions which broadcast alike."""

    name = "matmul-of-fewer-batches"
    roots = ("MatMul",)
    examples = (
        Example(
            "float[2,1,2,1,2,3,4] x, float[2,1,2,1,2,4,5] z",
            "y = MatMul(x, z)",
            "a = Reshape(x, s)  b = Reshape(z, t)  m = MatMul(a, b)  y = Reshape(m, u)",
        ),
        Example("float[2,2,3,4] x, float[2,2,4,5] z", "y = MatMul(x, z)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = MatMul.decode(Reader(node))
        a, b, out = static_shape(op.a), static_shape(op.b), static_shape(node.outputs[0])
        if a is None or b is None or out is None or len(out) <= highest_rank("MatMul"):
            return NOT_HERE
        if len(b) == 2:
            flat = g.op("Reshape", op.a, g.ints(-1, a[-1]))
            return [g.op("Reshape", g.op("MatMul", flat, op.b), g.ints(*out))]
        batches = [aligned(shape, len(out))[:-2] for shape in (a, b)]
        grouping = broadcast_grouping(batches, out[:-2])
        if len(grouping.groups) + 2 > highest_rank("MatMul"):
            return Miss("more batch dimensions broadcast differently than the kernel supports")
        operands = [
            g.op("Reshape", value, g.ints(*grouping.shape(batch), *shape[-2:]))
            for value, batch, shape in zip((op.a, op.b), batches, (a, b), strict=True)
        ]
        return [g.op("Reshape", g.op("MatMul", *operands), g.ints(*out))]
