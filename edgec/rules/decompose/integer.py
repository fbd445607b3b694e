"""Operators on quantized values, as float operators between DequantizeLinear and QuantizeLinear."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule

_FLOAT = ir.DataType.FLOAT
_CONV = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")


class QLinearMatMulToFloat(Rule):
    """QLinearMatMul(a, b) -> QuantizeLinear(DequantizeLinear(a) @ DequantizeLinear(b))."""

    name = "qlinear-matmul-to-float"
    roots = ("QLinearMatMul",)
    examples = (
        Example(
            "uint8[2,3] x, uint8[3,4] z",
            "y = QLinearMatMul(x, s, p, z, s, p, o, p)",
            "a = DequantizeLinear<axis = 0>(x, s, p)  b = DequantizeLinear<axis = 1>(z, s, p)  m = MatMul(a, b)  "
            "y = QuantizeLinear(m, o, p)",
            constants="float s = {0.5}, float o = {700}, uint8 p = {3}",
            output="uint8",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        a_rank, b_rank = r.rank(r.input(0)), r.rank(r.input(3))
        a = g.op("DequantizeLinear", *(r.input(i) for i in (0, 1, 2)), axis=max(a_rank - 2, 0))
        b = g.op("DequantizeLinear", *(r.input(i) for i in (3, 4, 5)), axis=b_rank - 1)
        return [g.op("QuantizeLinear", g.op("MatMul", a, b), r.input(6), r.input(7))]


class QLinearConvToFloat(Rule):
    """QLinearConv(x, w, b) -> QuantizeLinear(Conv(DequantizeLinear(x), DequantizeLinear(w), b))."""

    name = "qlinear-conv-to-float"
    roots = ("QLinearConv",)
    examples = (
        Example(
            "uint8[1,1,4,4] x",
            "y = QLinearConv(x, s, p, w, s, p, o, p)",
            "a = DequantizeLinear(x, s, p)  b = DequantizeLinear<axis = 0>(w, s, p)  c = Conv(a, b)  "
            "y = QuantizeLinear(c, o, p)",
            constants="float s = {0.5}, float o = {7.3}, uint8 p = {3}, uint8[1,1,2,2] w = {1, 2, 5, 7}",
            output="uint8",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x = g.op("DequantizeLinear", *(r.input(i) for i in (0, 1, 2)))
        w = g.op("DequantizeLinear", *(r.input(i) for i in (3, 4, 5)), axis=0)
        operands = [x, w]
        bias = r.optional(8)
        if bias is not None:  # its scale is the product of both scales, its zero point 0
            scale = g.op("Mul", r.input(1), r.input(4))
            operands.append(g.op("Mul", g.op("Cast", bias, to=int(scale.dtype or _FLOAT)), scale))
        attributes = {k: node.attributes[k].value for k in _CONV if r.has(k)}
        return [g.op("QuantizeLinear", g.op("Conv", *operands, **attributes), r.input(6), r.input(7))]


class IntegerProductToFloat(Rule):
    """MatMulInteger and ConvInteger -> the float operator on operands minus zero points, rounded to int32.

    Exact for sums below 2^24, which includes every sum of 256 products of bytes, and usually far more.
    """

    name = "integer-product-to-float"
    roots = ("MatMulInteger", "ConvInteger")
    examples = (
        Example(
            "uint8[2,3] x, uint8[3,4] z",
            "y = MatMulInteger(x, z, p)",
            "a = Cast<to = 1>(x)  q = Cast<to = 1>(p)  d = Sub(a, q)  b = Cast<to = 1>(z)  m = MatMul(d, b)  "
            "r = Round(m)  y = Cast<to = 6>(r)",
            constants="uint8 p = {3}",
            output="int32",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        a, b = r.input(0), r.input(1)
        if node.op_type == "MatMulInteger":
            rows, columns = (-1, 1), (-1,)
            product = g.op("MatMul", shifted(a, r.optional(2), rows, g), shifted(b, r.optional(3), columns, g))
        else:
            channels = (-1, *(1,) * (r.rank(b) - 1))
            attributes = {k: node.attributes[k].value for k in _CONV if r.has(k)}
            left, right = shifted(a, r.optional(2), (), g), shifted(b, r.optional(3), channels, g)
            product = g.op("Conv", left, right, **attributes)
        return [g.op("Cast", g.op("Round", product), to=int(ir.DataType.INT32))]


def shifted(x: Value, zero_point: Value | None, shape: tuple[int, ...], g: GraphBuilder) -> Value:
    """x minus its zero point in float32; zero points for rows, columns or channels are reshaped to `shape`."""
    found = g.op("Cast", x, to=int(_FLOAT))
    if zero_point is None:
        return found
    zero = g.op("Cast", zero_point, to=int(_FLOAT))
    if zero_point.shape is not None and len(zero_point.shape) == 1 and zero_point.shape[0] != 1 and shape:
        zero = g.op("Reshape", zero, g.ints(*shape))
    return g.op("Sub", found, zero)
