"""QuantizeLinear and DequantizeLinear in float arithmetic: MIL's own have no blocks, no computed scale, no int32."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.quantize import DequantizeLinear, QuantizeLinear
from edgec.rules.base import Miss, Replacement, Rule

_RANGES = {
    ir.DataType.UINT8: (0, 255),
    ir.DataType.INT8: (-128, 127),
    ir.DataType.UINT16: (0, 65535),
    ir.DataType.INT16: (-32768, 32767),
}


class QuantizeToRound(Rule):
    """QuantizeLinear(x, s, z) -> Cast(Clip(Round(x / s) + z)), to the ends of the integer type."""

    name = "quantize-to-round"
    roots = ("QuantizeLinear",)
    examples = ()

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = QuantizeLinear.decode(Reader(node))
        dtype = op.y.dtype
        if dtype not in _RANGES:
            return Miss("the integer type is narrower than 8 bits, or a float")
        parameters = _spread(op, g)
        if parameters is None:
            return Miss("the shape is not static")
        scale, zero = parameters
        y = g.op("Round", g.op("Div", _float(op.x, g), scale))
        y = y if zero is None else g.op("Add", y, _float(zero, g))
        low, high = _RANGES[dtype]
        return [g.op("Cast", g.op("Clip", y, g.like(low, y), g.like(high, y)), to=int(dtype))]


class DequantizeToMul(Rule):
    """DequantizeLinear(x, s, z) -> (Cast(x) - Cast(z)) * s."""

    name = "dequantize-to-mul"
    roots = ("DequantizeLinear",)
    examples = ()

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = DequantizeLinear.decode(Reader(node))
        if op.x.dtype not in {*_RANGES, ir.DataType.INT32}:
            return Miss("the integer type is narrower than 8 bits, or a float")
        parameters = _spread(op, g)
        if parameters is None:
            return Miss("the shape is not static")
        scale, zero = parameters
        y = _float(op.x, g)
        y = y if zero is None else g.op("Sub", y, _float(zero, g))
        product = g.op("Mul", y, scale)
        wanted = op.y.dtype or ir.DataType.FLOAT
        return [product if product.dtype == wanted else g.op("Cast", product, to=int(wanted))]


def _float(value: Value, g: GraphBuilder) -> Value:
    return value if value.dtype == ir.DataType.FLOAT else g.op("Cast", value, to=int(ir.DataType.FLOAT))


def _spread(op: QuantizeLinear | DequantizeLinear, g: GraphBuilder) -> tuple[Value, Value | None] | None:
    """Scale and zero point so that they broadcast against x; None where a shape is not known."""
    found = [_along(op, value, g) for value in (op.scale, op.zero_point) if value is not None]
    if any(v is None for v in found):
        return None
    scale, *zero = (v for v in found if v is not None)
    return _float(scale, g), zero[0] if zero else None


def _along(op: QuantizeLinear | DequantizeLinear, value: Value, g: GraphBuilder) -> Value | None:
    shape, own = static_shape(op.x), static_shape(value)
    if shape is None or own is None:
        return None
    if int(np.prod(own)) == 1:
        return g.op("Reshape", value, g.ints(*(1,) * len(shape)))
    if len(own) == 1:
        return g.op("Reshape", value, g.ints(*(-1 if i == op.axis else 1 for i in range(len(shape)))))
    blocks = [(n, size // n if i == op.axis else 1) for i, (n, size) in enumerate(zip(own, shape, strict=True))]
    apart = g.op("Reshape", value, g.ints(*(d for n, _ in blocks for d in (n, 1))))
    repeated = g.op("Expand", apart, g.ints(*(d for block in blocks for d in block)))
    return g.op("Reshape", repeated, g.ints(*shape))
