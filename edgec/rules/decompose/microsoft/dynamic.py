"""Integer products with float results, as written by ONNX Runtime's dynamic quantization (`com.microsoft`)."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.decompose.integer import shifted
from edgec.rules.decompose.microsoft.elementwise import DOMAIN

_COLUMNS = (-1,)
"""One scale or zero point for each column of the second operand."""


class IntegerProductInFloat(Rule):
    """MatMulIntegerToFloat, DynamicQuantizeMatMul -> MatMul of operands minus zero points, times both scales."""

    name = "integer-product-in-float"
    roots = (f"{DOMAIN}::MatMulIntegerToFloat", f"{DOMAIN}::DynamicQuantizeMatMul")
    examples = (
        Example(
            "uint8[2,3] x",
            "y = com.microsoft.MatMulIntegerToFloat(x, w, s, s, p)",
            "a = Cast<to = 1>(x)  q = Cast<to = 1>(p)  d = Sub(a, q)  b = Cast<to = 1>(w)  m = MatMul(d, b)  "
            "t = Mul(s, s)  y = Mul(m, t)",
            constants="float s = {0.5}, uint8 p = {3}, uint8[3,2] w = {1, 2, 3, 4, 5, 6}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        b = r.input(1)
        if node.op_type == "DynamicQuantizeMatMul":
            a, a_scale, a_zero = g.multi("DynamicQuantizeLinear", 3, r.input(0))
            b_scale, b_zero, bias = r.input(2), r.optional(3), r.optional(4)
            left = shifted(a, a_zero, (), g)
        else:
            a_scale, b_scale, b_zero, bias = r.input(2), r.input(3), r.optional(5), r.optional(6)
            left = shifted(r.input(0), r.optional(4), (), g)
        product = g.op("MatMul", left, shifted(b, b_zero, _COLUMNS, g))
        y = g.op("Mul", product, g.op("Mul", a_scale, b_scale))
        return [y if bias is None else g.op("Add", y, bias)]


class QuantizedToFloatLayer(Rule):
    """QAttention and QEmbedLayerNormalization -> the float operator on dequantized operands."""

    name = "quantized-to-float-layer"
    roots = (f"{DOMAIN}::QAttention", f"{DOMAIN}::QEmbedLayerNormalization")
    examples = (
        Example(
            "uint8[1,2,2] x",
            "y = com.microsoft.QAttention<num_heads = 1>(x, w, c, s, s, , p, p)",
            "a = DequantizeLinear(x, s, p)  b = DequantizeLinear(w, s, p)  y = Attention<num_heads = 1>(a, b, c)",
            constants="float s = {0.5}, uint8 p = {3}, uint8[2,6] w = {1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1}, "
            "float[6] c = {1, 2, 3, 4, 5, 6}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        operands, op_type = (
            (_attention(r, g), "Attention")
            if node.op_type == "QAttention"
            else (_embedding(r, g), "EmbedLayerNormalization")
        )
        attributes = {name: a.value for name, a in node.attributes.items()}
        return list(g.multi(op_type, len(node.outputs), *operands, domain=DOMAIN, **attributes))


def _attention(r: Reader, g: GraphBuilder) -> Sequence[Value | None]:
    """(input, weight, bias, scales, mask, zero points, past) -> Attention's (input, weight, bias, mask, past)."""
    weight_axis = 1 if r.rank(r.input(4)) else None
    x = g.op("DequantizeLinear", r.input(0), r.input(3), r.optional(6))
    w = g.op("DequantizeLinear", r.input(1), r.input(4), r.optional(7), axis=weight_axis)
    return [x, w, r.input(2), r.optional(5), r.optional(8)]


def _embedding(r: Reader, g: GraphBuilder) -> Sequence[Value | None]:
    """(ids, segments, five quantized tables, mask, scales, zero points) -> EmbedLayerNormalization's inputs."""
    tables = [
        None if (q := r.optional(2 + i)) is None else g.op("DequantizeLinear", q, r.optional(8 + i), r.optional(13 + i))
        for i in range(5)
    ]
    return [r.input(0), r.optional(1), *tables, r.optional(7)]
