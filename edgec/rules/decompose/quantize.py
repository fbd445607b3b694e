"""QuantizeLinear and DequantizeLinear as arithmetic, for targets that lack them for a type, axis or block size."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.quantize import DequantizeLinear, QuantizeLinear
from edgec.rules.base import Example, Miss, Replacement, Rule

NARROW = (ir.DataType.INT8, ir.DataType.UINT8, ir.DataType.INT16, ir.DataType.UINT16)
"""Integer types whose values float32 represents exactly."""

_FLOAT = int(ir.DataType.FLOAT)
_NO_ARITHMETIC = "the quantized type is narrower than 8 bits or a float, or a shape is not known"


class QuantizeToClip(Rule):
    """QuantizeLinear(x, s, z) -> Cast(Clip(Round(x / s) + z)) to 8 or 16 bits."""

    name = "quantize-to-clip"
    roots = ("QuantizeLinear",)
    examples = (
        Example(
            "float[2,3] x",
            "y = QuantizeLinear(x, s)",
            "a = Div(x, s)  b = Round(a)  c = Clip(b, l, h)  y = Cast<to = 2>(c)",
            constants="float s = {0.5}",
            output="uint8",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = QuantizeLinear.decode(Reader(node))
        found = steps(op, g)
        if found is None or op.y.dtype is None:
            return Miss(_NO_ARITHMETIC)
        return [g.op("Cast", found, to=int(op.y.dtype))]


class DequantizeToMul(Rule):
    """DequantizeLinear(x, s, z) -> (x - z) * s."""

    name = "dequantize-to-mul"
    roots = ("DequantizeLinear",)
    examples = (
        Example(
            "uint8[2,3] x",
            "y = DequantizeLinear(x, s, z)",
            "a = Cast<to = 1>(x)  c = Sub(a, b)  y = Mul(c, s)",
            constants="float s = {0.5}, uint8 z = {3}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = DequantizeLinear.decode(Reader(node))
        found = number(op, op.x, g) if op.x.dtype in (*NARROW, ir.DataType.INT32) else None
        if found is None:
            return Miss(_NO_ARITHMETIC)
        wanted = op.y.dtype or ir.DataType.FLOAT
        return [found if found.dtype == wanted else g.op("Cast", found, to=int(wanted))]


def steps(op: QuantizeLinear, g: GraphBuilder) -> Value | None:
    """The quantized value of each element of x, in float32; None unless it has 8 or 16 bits and known shapes."""
    scale = _broadcastable(op, op.scale, g)
    if op.y.dtype not in NARROW or scale is None:
        return None
    found = g.op("Round", g.op("Div", _as_float(op.x, g), _as_float(scale, g)))
    if op.zero_point is not None:
        zero = _broadcastable(op, op.zero_point, g)
        assert zero is not None
        found = g.op("Add", found, _as_float(zero, g))
    limits = np.iinfo(op.y.dtype.numpy())
    return g.op("Clip", found, g.like(limits.min, found), g.like(limits.max, found))


def number(op: DequantizeLinear, x: Value, g: GraphBuilder) -> Value | None:
    """The values of the quantized `x` (int32, or of the op's type, or in float32). None if a shape is not known."""
    scale = _broadcastable(op, op.scale, g)
    if scale is None:
        return None
    exact = x if x.dtype == ir.DataType.INT32 else _as_float(x, g)
    if op.zero_point is not None:
        zero = _broadcastable(op, op.zero_point, g)
        assert zero is not None
        exact = g.op("Sub", exact, zero if zero.dtype == exact.dtype else g.op("Cast", zero, to=int(exact.dtype or 0)))
    return g.op("Mul", _as_float(exact, g), _as_float(scale, g))


def _as_float(value: Value, g: GraphBuilder) -> Value:
    return value if value.dtype == ir.DataType.FLOAT else g.op("Cast", value, to=_FLOAT)


def _broadcastable(op: QuantizeLinear | DequantizeLinear, value: Value, g: GraphBuilder) -> Value | None:
    """A scale or zero point (per tensor, axis or block), reshaped to broadcast against x; None if not possible."""
    own = static_shape(value)
    if own is None or op.x.shape is None:
        return None
    if own in ((), (1,)) and not op.block_size:
        return value
    if not op.block_size:
        return g.op("Reshape", value, g.ints(*(-1 if i == op.axis else 1 for i in range(len(op.x.shape)))))
    length = op.x.shape[op.axis]
    if not isinstance(length, int):
        return None
    size = op.block_size
    apart = g.op("Reshape", value, g.ints(*own[: op.axis + 1], 1, *own[op.axis + 1 :]))
    repeated = g.op("Expand", apart, g.ints(*own[: op.axis + 1], size, *own[op.axis + 1 :]))
    whole = g.op("Reshape", repeated, g.ints(*(d * size if i == op.axis else d for i, d in enumerate(own))))
    if own[op.axis] * size == length:
        return whole
    return g.op("Slice", whole, g.ints(0), g.ints(length), g.ints(op.axis))
