"""8- and 16-bit integers where ONNX supports only wider ones; PyTorch computes them modulo 2^n."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.quantize import NARROW

_INT32 = int(ir.DataType.INT32)

_TAKEN = (ir.DataType.INT8, ir.DataType.UINT8)
"""Element types that ONNX's ReduceMax and ReduceMin accept."""

_LARGEST_POWER = 63
"""The largest exponent that is decomposed into squares and products, at most ten of them."""


class NarrowInInt32(Rule):
    """MatMul, Gemm, ReduceMax and ReduceMin of 8 and 16 bits -> the same in int32 between Casts.

    Sums and products in int32 have the correct low bits, and these are the result in PyTorch.
    """

    name = "narrow-in-int32"
    roots = ("MatMul", "Gemm", "ReduceMax", "ReduceMin")
    examples = (
        Example(
            "int8[2,3] x, int8[3,2] z",
            "y = MatMul(x, z)",
            "a = Cast<to = 6>(x)  b = Cast<to = 6>(z)  c = MatMul(a, b)  y = Cast<to = 3>(c)",
            output="int8",
        ),
        Example(
            "int16[2,3] x",
            "y = ReduceMax<keepdims = 0>(x)",
            "a = Cast<to = 6>(x)  b = ReduceMax<keepdims = 0>(a)  y = Cast<to = 5>(b)",
            output="int16",
        ),
        Example("uint8[2,3] x", "y = ReduceMax<keepdims = 0>(x)", None, output="uint8"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        kind = node.inputs[0].dtype if node.inputs[0] is not None else None
        if kind not in NARROW or (node.op_type.startswith("Reduce") and kind in _TAKEN):
            return NOT_HERE
        wide = [v if v is None or v.dtype != kind else g.op("Cast", v, to=_INT32) for v in node.inputs]
        kept = {name: attribute.value for name, attribute in node.attributes.items()}
        return [g.op("Cast", g.op(node.op_type, *wide, **kept), to=int(kind))]


class NarrowPowToMul(Rule):
    """Pow of 8 and 16 bits by a positive integer -> Mul, by repeated squaring."""

    name = "narrow-pow-to-mul"
    roots = ("Pow",)
    examples = (
        Example(
            "int8[2,3] x",
            "y = Pow(x, c)",
            "a = Mul(x, x)  y = Mul(x, a)",
            constants="int8 c = {3}",
            output="int8",
        ),
        Example("float[2,3] x", "y = Pow(x, c)", None, constants="float c = {2}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        base, exponent = node.inputs
        if base is None or base.dtype not in NARROW:
            return NOT_HERE
        power = constant(exponent)
        if power is None or power.size != 1 or power.ndim > 0:
            return Miss("the exponent is not a constant scalar")
        left = float(power.reshape(()))
        if not left.is_integer() or not 1 <= left <= _LARGEST_POWER:
            return Miss("the exponent is not an integer from 1 to 63")
        return [_power(base, int(left), g)]


def _power(base: ir.Value, exponent: int, g: GraphBuilder) -> ir.Value:
    if exponent == 1:
        return g.op("Identity", base)
    square, found = base, base if exponent % 2 else None
    for bit in range(1, exponent.bit_length()):
        square = g.op("Mul", square, square)
        if exponent >> bit & 1:
            found = square if found is None else g.op("Mul", found, square)
    assert found is not None
    return found
