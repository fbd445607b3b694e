"""Quantization as arithmetic, where the model's own operators are kept as they are."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.quantize import DequantizeLinear, QuantizeLinear
from edgec.rules.base import Example, Miss, Replacement, Rule

NARROW = (ir.DataType.INT8, ir.DataType.UINT8, ir.DataType.INT16, ir.DataType.UINT16)
"""Integers whose every value a float32 holds."""


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
        if op.y.dtype not in NARROW or op.x.dtype != ir.DataType.FLOAT:
            return Miss(f"there is no arithmetic for {op.x.dtype} to {op.y.dtype}")
        scale = _spread(op, op.scale, g)
        if scale is None:
            return Miss("a shape is not static")
        steps = g.op("Round", g.op("Div", op.x, scale))
        if op.zero_point is not None:
            zero = _spread(op, op.zero_point, g)
            assert zero is not None
            steps = g.op("Add", steps, g.op("Cast", zero, to=int(ir.DataType.FLOAT)))
        limits = np.iinfo(op.y.dtype.numpy())
        clipped = g.op("Clip", steps, g.like(limits.min, steps), g.like(limits.max, steps))
        return [g.op("Cast", clipped, to=int(op.y.dtype))]


class DequantizeToMul(Rule):
    """DequantizeLinear(x, s, z) -> (x - z) * s, the difference in int32."""

    name = "dequantize-to-mul"
    roots = ("DequantizeLinear",)
    examples = (
        Example(
            "uint8[2,3] x",
            "y = DequantizeLinear(x, s, z)",
            "a = Cast<to = 6>(x)  c = Sub(a, b)  d = Cast<to = 1>(c)  y = Mul(d, s)",
            constants="float s = {0.5}, uint8 z = {3}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = DequantizeLinear.decode(Reader(node))
        if op.x.dtype not in (*NARROW, ir.DataType.INT32) or op.y.dtype != ir.DataType.FLOAT:
            return Miss(f"there is no arithmetic for {op.x.dtype} to {op.y.dtype}")
        scale = _spread(op, op.scale, g)
        if scale is None:
            return Miss("a shape is not static")
        x = op.x if op.x.dtype == ir.DataType.INT32 else g.op("Cast", op.x, to=int(ir.DataType.INT32))
        if op.zero_point is not None:
            zero = _spread(op, op.zero_point, g)
            assert zero is not None
            x = g.op("Sub", x, zero if zero.dtype == x.dtype else g.op("Cast", zero, to=int(ir.DataType.INT32)))
        return [g.op("Mul", g.op("Cast", x, to=int(ir.DataType.FLOAT)), scale)]


def _spread(op: QuantizeLinear | DequantizeLinear, value: Value, g: GraphBuilder) -> Value | None:
    """A scale or zero point in a shape that broadcasts against x: per tensor, per axis, or per block."""
    shape, own = static_shape(op.x), static_shape(value)
    if shape is None or own is None:
        return None
    if own in ((), (1,)) and not op.block_size:
        return value
    if not op.block_size:
        return g.op("Reshape", value, g.ints(*(d if i == op.axis else 1 for i, d in enumerate(shape))))
    blocks = [*own[: op.axis + 1], 1, *own[op.axis + 1 :]]
    wide = [*own[: op.axis + 1], op.block_size, *own[op.axis + 1 :]]
    repeated = g.op("Expand", g.op("Reshape", value, g.ints(*blocks)), g.ints(*wide))
    whole = [d * op.block_size if i == op.axis else d for i, d in enumerate(own)]
    y = g.op("Reshape", repeated, g.ints(*whole))
    if whole[op.axis] == shape[op.axis]:
        return y
    return g.op("Slice", y, g.ints(0), g.ints(shape[op.axis]), g.ints(op.axis))
