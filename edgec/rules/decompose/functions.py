"""Decompositions of element-wise functions into those for which a target has kernels."""

from __future__ import annotations

import math

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.ops.elementwise import Activation, IsInf
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class ElementwiseFromBuiltins(Rule):
    """Softplus, Softsign, Erf, Tan, Sinh, Cosh and their like -> Exp, Log, Gelu, Sin, Cos in stable forms."""

    name = "elementwise-from-builtins"
    roots = (
        "Softplus",
        "Softsign",
        "Erf",
        "Tan",
        "Sinh",
        "Cosh",
        "Asinh",
        "Acosh",
        "Atanh",
        "HardSigmoid",
        "Xor",
        "IsNaN",
        "IsInf",
    )
    examples = (Example("float[2,3] x", "y = Softsign(x)", "a = Abs(x)  b = Add(a, c)  y = Div(x, b)"),)

    def __init__(self, lacking: tuple[str, ...] = roots) -> None:
        self.lacking = frozenset(lacking)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        if node.op_type not in self.lacking:
            return NOT_HERE
        return [getattr(self, f"_{node.op_type.lower()}")(node, g)]

    def _softplus(self, node: ir.Node, g: GraphBuilder) -> Value:
        """max(x, 0) + log(1 + exp(-|x|)): exp never overflows.

        A small exponential e is lost when added to 1, so its series e (1 - e / 2 + e² / 3) is used there.
        In Mish, x tanh(softplus(x)), that loss is negligible compared to x.
        """
        x = Reader(node).input(0)
        e = g.op("Exp", g.op("Neg", g.op("Abs", x)))
        tail = g.op("Log", g.op("Add", e, g.like(1, x)))
        if [user.op_type for user, _ in node.outputs[0].uses()] != ["Tanh"]:
            series = g.op("Mul", e, _polynomial(e, (1, -1 / 2, 1 / 3), g))
            tail = g.op("Where", g.op("Less", e, g.like(_LOST, x)), series, tail)
        return g.op("Add", g.op("Relu", x), tail)

    def _softsign(self, node: ir.Node, g: GraphBuilder) -> Value:
        x = Reader(node).input(0)
        return g.op("Div", x, g.op("Add", g.op("Abs", x), g.like(1, x)))

    def _erf(self, node: ir.Node, g: GraphBuilder) -> Value:
        """From the exact GELU, z (1 + erf(z / √2)) / 2, at |x| so that the divisor is positive; its series near 0."""
        x = Reader(node).input(0)
        size = g.op("Min", g.op("Max", g.op("Abs", x), g.like(1e-6, x)), g.like(10, x))  # erf(10) is 1
        z = g.op("Mul", size, g.like(math.sqrt(2), x))
        ratio = g.op("Div", g.op("Gelu", z), z)
        magnitude = g.op("Sub", g.op("Mul", ratio, g.like(2, x)), g.like(1, x))
        small = g.op("Mul", x, _polynomial(g.op("Mul", x, x), _ERF, g))
        is_small = g.op("Less", g.op("Abs", x), g.like(_NEAR_ZERO, x))
        return g.op("Where", is_small, small, g.op("Mul", g.op("Sign", x), magnitude))

    def _tan(self, node: ir.Node, g: GraphBuilder) -> Value:
        x = Reader(node).input(0)
        return g.op("Div", g.op("Sin", x), g.op("Cos", x))

    def _sinh(self, node: ir.Node, g: GraphBuilder) -> Value:
        """tanh(x) cosh(x), which has no cancellation near zero."""
        x = Reader(node).input(0)
        return g.op("Mul", g.op("Tanh", x), _cosh(x, g))

    def _cosh(self, node: ir.Node, g: GraphBuilder) -> Value:
        return _cosh(Reader(node).input(0), g)

    def _asinh(self, node: ir.Node, g: GraphBuilder) -> Value:
        """sign(x) ln(1 + |x| + x² / (1 + √(1 + x²))), which has no cancellation for any x."""
        x = Reader(node).input(0)
        size, one = g.op("Abs", x), g.like(1, x)
        near = g.op("Min", size, g.like(_FAR, x))
        square = g.op("Mul", near, near)
        root = g.op("Sqrt", g.op("Add", square, one))
        moderate = log1p(g.op("Add", near, g.op("Div", square, g.op("Add", root, one))), g)
        return g.op("Mul", g.op("Sign", x), _beyond(size, moderate, g))

    def _acosh(self, node: ir.Node, g: GraphBuilder) -> Value:
        """ln(1 + t + √(t (t + 2))) with t = x − 1."""
        x = Reader(node).input(0)
        t = g.op("Sub", g.op("Min", x, g.like(_FAR, x)), g.like(1, x))
        root = g.op("Sqrt", g.op("Mul", t, g.op("Add", t, g.like(2, x))))
        found = _beyond(x, log1p(g.op("Add", t, root), g), g)
        return g.op("Where", g.op("Less", x, g.like(1, x)), g.like(math.nan, x), found)

    def _atanh(self, node: ir.Node, g: GraphBuilder) -> Value:
        """ln(1 + 2x / (1 − x)) / 2."""
        x = Reader(node).input(0)
        size = g.op("Abs", x)
        ratio = g.op("Div", g.op("Add", size, size), g.op("Sub", g.like(1, x), size))
        return g.op("Mul", g.op("Mul", g.op("Sign", x), log1p(ratio, g)), g.like(0.5, x))

    def _hardsigmoid(self, node: ir.Node, g: GraphBuilder) -> Value:
        op = Activation.decode(Reader(node))
        line = g.op("Add", g.op("Mul", op.x, g.like(op.alpha, op.x)), g.like(op.beta, op.x))
        return g.op("Clip", line, g.like(0, op.x), g.like(1, op.x))

    def _xor(self, node: ir.Node, g: GraphBuilder) -> Value:
        r = Reader(node)
        a, b = r.input(0), r.input(1)
        return g.op("And", g.op("Or", a, b), g.op("Not", g.op("And", a, b)))

    def _isnan(self, node: ir.Node, g: GraphBuilder) -> Value:
        x = Reader(node).input(0)
        return g.op("Not", g.op("Equal", x, x))

    def _isinf(self, node: ir.Node, g: GraphBuilder) -> Value:
        op = IsInf.decode(Reader(node))
        above = g.op("Equal", op.x, g.like(math.inf, op.x))
        below = g.op("Equal", op.x, g.like(-math.inf, op.x))
        if op.positive and op.negative:
            return g.op("Or", above, below)
        return above if op.positive else below


_ERF = tuple(2 / math.sqrt(math.pi) * c for c in (1, -1 / 3, 1 / 10, -1 / 42))
_NEAR_ZERO = 0.2
"""Up to here, the next term of the error function's series is below 2e-8."""

_ARTANH = tuple(2 / (2 * k + 1) for k in range(5))
_NEAR_ONE = 0.3
"""Up to here, the next term of the series of ln(1 + x) in x / (2 + x) is below 3e-9."""

_LOST = 0.02
"""Below this, the next term of the series of ln(1 + e) is below 2e-6 of it; above, the sum has a precision of 3e-6."""

_FAR = 1e4
"""From here on, √(x² ± 1) equals x in float32."""


def log1p(x: Value, g: GraphBuilder) -> Value:
    """ln(1 + x) = 2 artanh(x / (2 + x)), near zero by its series: some logarithms are imprecise near 1."""
    s = g.op("Div", x, g.op("Add", x, g.like(2, x)))
    near = g.op("Mul", s, _polynomial(g.op("Mul", s, s), _ARTANH, g))
    is_near = g.op("Less", g.op("Abs", x), g.like(_NEAR_ONE, x))
    return g.op("Where", is_near, near, g.op("Log", g.op("Add", x, g.like(1, x))))


def _polynomial(x: Value, coefficients: tuple[float, ...], g: GraphBuilder) -> Value:
    """Horner's rule; the constant term comes first."""
    total = g.like(coefficients[-1], x)
    for c in reversed(coefficients[:-1]):
        total = g.op("Add", g.op("Mul", total, x), g.like(c, x))
    return total


def _cosh(x: Value, g: GraphBuilder) -> Value:
    """h²/2 + 1/(2h²) with h = exp(|x| / 2), which overflows only if the result does."""
    half = g.like(0.5, x)
    h = g.op("Exp", g.op("Mul", g.op("Abs", x), half))
    above, below = g.op("Mul", g.op("Mul", h, half), h), g.op("Div", g.op("Div", half, h), h)
    return g.op("Add", above, below)


def _beyond(x: Value, moderate: Value, g: GraphBuilder) -> Value:
    """ln 2x for large x, whose square would overflow."""
    is_far = g.op("Greater", x, g.like(_FAR, x))
    return g.op("Where", is_far, g.op("Add", g.op("Log", x), g.like(math.log(2), x)), moderate)


class WideClip(Rule):
    """Clip between computed bounds -> Min(Max(x, low), high)."""

    name = "clip-to-min-max"
    roots = ("Clip",)
    examples = (
        Example(
            "float[3] x, float l",
            "y = Clip(x, l)",
            "y = Max(x, l)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, low, high = r.input(0), r.optional(1), r.optional(2)
        if r.const_scalar(1) is not None or r.const_scalar(2) is not None:
            fits = (low is None or r.const_scalar(1) is not None) and (high is None or r.const_scalar(2) is not None)
            if fits:
                return NOT_HERE
        above = x if low is None else g.op("Max", x, low)
        below = above if high is None else g.op("Min", above, high)
        return [below if below is not x else g.op("Identity", x)]


class OneSidedClip(Rule):
    """Clip with one bound -> Max or Min, since the other bound would be the largest number, which cuts infinities."""

    name = "one-sided-clip"
    roots = ("Clip",)
    examples = (
        Example("float[3] x", "y = Clip(x, c)", "y = Max(x, c)", constants="float c = {0.5}"),
        Example("float[3] x", "y = Clip(x, , c)", "y = Min(x, c)", constants="float c = {0.5}"),
        Example("float[3] x", "y = Clip(x, c, d)", None, constants="float c = {0.5}, float d = {1}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, low, high = r.input(0), r.optional(1), r.optional(2)
        if (low is None) == (high is None):
            return NOT_HERE
        return [g.op("Min", x, high) if low is None else g.op("Max", x, low)]
