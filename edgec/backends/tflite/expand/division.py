"""Exact division of 64-bit integers, for which there is no kernel."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.ops.elementwise import Binary
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

_ROUNDS = 3
"""Each correction reduces the quotient's error by 22 bits, of 64."""

_LARGEST = 9.2233714e18
"""The largest float32 below 2^63: larger quotients do not fit int64."""


class WideDivision(Rule):
    """Div(a, b) of int64 -> a - Mod(a, b), divided in float32 and corrected until the remainder is 0."""

    name = "wide-division"
    roots = ("Div",)
    examples = (
        Example(
            "int64[4] x, int64[4] z",
            "y = Div(x, z)",
            "m = Mod(x, z) r = Sub(x, m) d = Cast<to = 1>(z) "
            "a = Cast<to = 1>(r) b = Div(a, d) c = Round(b) e = Clip(c, l, h) q = Cast<to = 7>(e) "
            "p = Mul(q, z) r1 = Sub(r, p) "
            "a1 = Cast<to = 1>(r1) b1 = Div(a1, d) c1 = Round(b1) e1 = Clip(c1, l, h) q1 = Cast<to = 7>(e1) "
            "t = Add(q, q1) p1 = Mul(q1, z) r2 = Sub(r1, p1) "
            "a2 = Cast<to = 1>(r2) b2 = Div(a2, d) c2 = Round(b2) e2 = Clip(c2, l, h) q2 = Cast<to = 7>(e2) "
            "u = Add(t, q2) n = Less(x, o) k = Less(z, o) s = Equal(n, k) v = Not(s) f = Equal(m, o) w = Not(f) "
            "i = And(w, v) j = Cast<to = 7>(i) y = Add(u, j)",
            output="int64",
        ),
        Example("int32[4] x", "y = Div(x, z)", None, constants="int32[1] z = {3}", output="int32"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Binary.decode(Reader(node))
        if op.a.dtype != ir.DataType.INT64:
            return NOT_HERE
        rest = g.op("Mod", op.a, op.b)
        quotient = _exact(g.op("Sub", op.a, rest), op.b, g)
        return [g.op("Add", quotient, _towards_zero(op, rest, g))]


def _exact(product: Value, divisor: Value, g: GraphBuilder) -> Value:
    """The quotient of a multiple of the divisor. Below 2^21 it is exact in float32, above it is approximate."""
    single, wide = int(ir.DataType.FLOAT), int(ir.DataType.INT64)
    quotient, left, by = None, product, g.op("Cast", divisor, to=single)
    low, high = g.like(-_LARGEST, by), g.like(_LARGEST, by)
    for step in range(_ROUNDS):
        near = g.op("Clip", g.op("Round", g.op("Div", g.op("Cast", left, to=single), by)), low, high)
        part = g.op("Cast", near, to=wide)
        quotient = part if quotient is None else g.op("Add", quotient, part)
        if step < _ROUNDS - 1:
            left = g.op("Sub", left, g.op("Mul", part, divisor))
    assert quotient is not None
    return quotient


def _towards_zero(op: Binary, rest: Value, g: GraphBuilder) -> Value:
    """Mod rounds the quotient down, ONNX's Div toward zero: 1 where these differ, otherwise 0."""
    zero = g.like(0, op.a)
    apart = g.op("Not", g.op("Equal", g.op("Less", op.a, zero), g.op("Less", op.b, zero)))
    differs = g.op("And", g.op("Not", g.op("Equal", rest, zero)), apart)
    return g.op("Cast", differs, to=int(ir.DataType.INT64))
