"""Bitwise operators as integer arithmetic, for targets without kernels for them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant
from edgec.ops.base import Reader, Value
from edgec.ops.elementwise import Binary, BitShift
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.intervals import Interval, interval_of, whole_range

_LOGICAL = {"BitwiseAnd": "And", "BitwiseOr": "Or", "BitwiseXor": "Xor"}

_INT32, _INT64 = ir.DataType.INT32, ir.DataType.INT64


class BitwiseToArithmetic(Rule):
    """BitwiseNot -> Sub; BitwiseAnd with 2^k - 1 -> Mod; BitwiseAnd, Or and Xor -> And, Or and Xor of each bit.

    The number of bits follows from the proven range of the values; `widest`, the width of the integers that a target
    computes with, limits it.
    """

    name = "bitwise-to-arithmetic"
    roots = ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot")
    examples = (
        Example("int32[3] x", "y = BitwiseNot(x)", "y = Sub(o, x)", output="int32"),
        Example("int32[3] x", "y = BitwiseAnd(x, c)", "y = Mod(x, d)", constants="int32 c = {7}", output="int32"),
        Example(
            "uint8[3] x, uint8[3] z",
            "y = BitwiseOr(x, z)",
            "a = Cast<to = 6>(x)  b = Unsqueeze(a, e)  d = Mod(b, m)  f = GreaterOrEqual(d, h)  "
            "i = Cast<to = 6>(z)  j = Unsqueeze(i, e)  k = Mod(j, m)  l = GreaterOrEqual(k, h)  "
            "n = Or(f, l)  o = Where(n, w, q)  p = ReduceSum(o, r)  y = Cast<to = 2>(p)",
            output="uint8",
        ),
    )

    def __init__(self, widest: int = 64) -> None:
        self.widest = widest

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = Reader(node).input(0)
        if x.dtype is None:
            return NOT_HERE
        if node.op_type == "BitwiseNot":
            return [g.op("Sub", g.const(np.asarray(~np.zeros((), x.dtype.numpy()))), x)]
        pair = Binary.decode(Reader(node))
        if node.op_type == "BitwiseAnd" and (masked := _masked(pair, g)) is not None:
            return [masked]
        a, b = interval_of(pair.a), interval_of(pair.b)
        if a is None or b is None:
            return NOT_HERE
        kind = _computed_in(x.dtype)
        width = min(kind.bitwidth, self.widest)
        tables = [_bits(_cast(v, kind, g), _count(a.joined(b)), width, g) for v in (pair.a, pair.b)]
        found = g.op(_LOGICAL[node.op_type], *tables)
        signed = a.low < 0 or b.low < 0 or _count(a.joined(b)) > width - 2
        return [_cast(_number(found, signed, kind, g), x.dtype, g)]


class BitShiftToArithmetic(Rule):
    """BitShift of unsigned integers -> Div by a power of two, or Mul of the bits that are not shifted out."""

    name = "bit-shift-to-arithmetic"
    roots = ("BitShift",)
    examples = (
        Example(
            "uint8[3] x, uint8[3] z",
            'y = BitShift<direction = "RIGHT">(x, z)',
            "c = Cast<to = 6>(x)  n = Cast<to = 6>(z)  m = Min(n, t)  p = Gather(v, m)  q = Div(c, p)  "
            "y = Cast<to = 2>(q)",
            output="uint8",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = BitShift.decode(Reader(node))
        assert op.a.dtype is not None
        bits = op.a.dtype.bitwidth
        if bits > 16:
            return Miss("the product does not fit a signed 32-bit integer")
        a = _cast(op.a, _INT32, g)
        count = g.op("Min", _cast(op.b, _INT32, g), g.const(np.asarray(bits, dtype=np.int32)))
        power = _power([1 << i for i in range(bits + 1)], count, g)
        if op.left:
            left = g.op("Mod", a, _power([1 << (bits - i) for i in range(bits + 1)], count, g))
            return [_cast(g.op("Mul", left, power), op.a.dtype, g)]
        return [_cast(g.op("Div", a, power), op.a.dtype, g)]


def _power(powers: list[int], index: Value, g: GraphBuilder) -> Value:
    return g.op("Gather", g.const(np.asarray(powers, dtype=np.int32)), index, axis=0)


def _computed_in(dtype: ir.DataType) -> ir.DataType:
    """A signed type that also holds twice the highest bit of a narrow type."""
    return dtype if dtype in (_INT32, _INT64) else _INT32 if dtype.bitwidth < 32 else _INT64


def _cast(value: Value, dtype: ir.DataType, g: GraphBuilder) -> Value:
    return value if value.dtype == dtype else g.op("Cast", value, to=int(dtype))


def _masked(pair: Binary, g: GraphBuilder) -> Value | None:
    """The lowest bits of a value as a remainder, which is non-negative for a positive divisor; None for other masks."""
    for value, other in ((pair.a, pair.b), (pair.b, pair.a)):
        mask = constant(other)
        if mask is None or mask.size == 0:
            continue
        most, masks = whole_range(value.dtype), mask.astype(np.int64)
        if most is not None and all(0 <= m < most.high and m & (m + 1) == 0 for m in masks.reshape(-1).tolist()):
            return g.op("Mod", value, g.const((masks + 1).astype(mask.dtype)))
    return None


def _count(values: Interval) -> int:
    """Bits of the two's complement, including the sign bit if there are negative values."""
    sign = 1 if values.low < 0 else 0
    return max(values.high.bit_length(), (-1 - values.low).bit_length() if sign else 0, 1) + sign


def _bits(x: Value, count: int, width: int, g: GraphBuilder) -> Value:
    """The lowest `count` bits along a new last dimension; all `width` bits if `count` exceeds `width` - 2.

    Bit k is set if x mod 2^(k + 1) >= 2^k; the last two bits, whose divisors do not fit the type, are compared.
    """
    wide = g.op("Unsqueeze", x, g.ints(-1))
    low = min(count, width - 2)
    divisors, halves = ([1 << (k + more) for k in range(low)] for more in (1, 0))
    bits = g.op("GreaterOrEqual", g.op("Mod", wide, g.const(divisors, x.dtype)), g.const(halves, x.dtype))
    if count <= low:
        return bits
    half = 1 << low
    negative = g.op("Less", wide, g.like(0, x))
    below = g.op("And", g.op("Less", wide, g.like(0, x)), g.op("GreaterOrEqual", wide, g.like(-half, x)))
    second = g.op("Or", below, g.op("GreaterOrEqual", wide, g.like(half, x)))
    return g.op("Concat", bits, second, negative, axis=-1)


def _number(bits: Value, signed: bool, dtype: ir.DataType, g: GraphBuilder) -> Value:
    """Σ 2^k bit k; in signed numbers the highest bit is negative.

    Runtimes may sum in float64, which holds 53 bits, so the halves of 64-bit numbers are summed separately.
    """
    assert bits.shape is not None
    count = bits.shape[-1]
    assert isinstance(count, int)
    if count > 32:
        low, high = g.multi("Split", 2, bits, g.ints(32, count - 32), axis=-1)
        upper = g.op("Mul", _number(high, signed, dtype, g), g.const(np.asarray(1 << 32, dtype=dtype.numpy())))
        return g.op("Add", upper, _number(low, False, dtype, g))
    weights = [1 << k for k in range(count)]
    if signed:
        weights[-1] = -weights[-1]
    zero = g.const(np.zeros((), dtype.numpy()))
    picked = g.op("Where", bits, g.const(np.asarray(weights, dtype=dtype.numpy())), zero)
    return g.op("ReduceSum", picked, g.ints(-1), keepdims=0)
