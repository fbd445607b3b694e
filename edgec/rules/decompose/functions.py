"""Element-wise functions that a target has no kernel for, from those that it has."""

from __future__ import annotations

import math

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.ops.elementwise import Activation, IsInf
from edgec.rules.base import NOT_HERE, Miss, Replacement, Rule


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
    examples = ()

    def __init__(self, lacking: tuple[str, ...] = roots) -> None:
        self.lacking = frozenset(lacking)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        if node.op_type not in self.lacking:
            return NOT_HERE
        return [getattr(self, f"_{node.op_type.lower()}")(node, g)]

    def _softplus(self, node: ir.Node, g: GraphBuilder) -> Value:
        """max(x, 0) + log(1 + exp(-|x|)): exp never overflows."""
        x = Reader(node).input(0)
        tail = g.op("Log", g.op("Add", g.op("Exp", g.op("Neg", g.op("Abs", x))), g.like(1, x)))
        return g.op("Add", g.op("Relu", x), tail)

    def _softsign(self, node: ir.Node, g: GraphBuilder) -> Value:
        x = Reader(node).input(0)
        return g.op("Div", x, g.op("Add", g.op("Abs", x), g.like(1, x)))

    def _erf(self, node: ir.Node, g: GraphBuilder) -> Value:
        """From the exact GELU, z (1 + erf(z / √2)) / 2, at |x| so that the division is by a positive number."""
        x = Reader(node).input(0)
        tiny = g.like(1e-6, x)
        z = g.op("Mul", g.op("Max", g.op("Abs", x), tiny), g.like(math.sqrt(2), x))
        ratio = g.op("Div", g.op("Gelu", z), z)
        magnitude = g.op("Sub", g.op("Mul", ratio, g.like(2, x)), g.like(1, x))
        small = g.op("Mul", x, g.like(2 / math.sqrt(math.pi), x))
        is_small = g.op("Less", g.op("Abs", x), g.like(1e-3, x))
        return g.op("Where", is_small, small, g.op("Mul", g.op("Sign", x), magnitude))

    def _tan(self, node: ir.Node, g: GraphBuilder) -> Value:
        x = Reader(node).input(0)
        return g.op("Div", g.op("Sin", x), g.op("Cos", x))

    def _sinh(self, node: ir.Node, g: GraphBuilder) -> Value:
        x = Reader(node).input(0)
        difference = g.op("Sub", g.op("Exp", x), g.op("Exp", g.op("Neg", x)))
        return g.op("Mul", difference, g.like(0.5, x))

    def _cosh(self, node: ir.Node, g: GraphBuilder) -> Value:
        x = Reader(node).input(0)
        return g.op("Mul", g.op("Add", g.op("Exp", x), g.op("Exp", g.op("Neg", x))), g.like(0.5, x))

    def _asinh(self, node: ir.Node, g: GraphBuilder) -> Value:
        """sign(x) log(|x| + √(x² + 1)): no cancellation for negative x."""
        x = Reader(node).input(0)
        size = g.op("Abs", x)
        root = g.op("Sqrt", g.op("Add", g.op("Mul", x, x), g.like(1, x)))
        return g.op("Mul", g.op("Sign", x), g.op("Log", g.op("Add", size, root)))

    def _acosh(self, node: ir.Node, g: GraphBuilder) -> Value:
        x = Reader(node).input(0)
        root = g.op("Sqrt", g.op("Sub", g.op("Mul", x, x), g.like(1, x)))
        return g.op("Log", g.op("Add", x, root))

    def _atanh(self, node: ir.Node, g: GraphBuilder) -> Value:
        x = Reader(node).input(0)
        one = g.like(1, x)
        return g.op("Mul", g.op("Log", g.op("Div", g.op("Add", one, x), g.op("Sub", one, x))), g.like(0.5, x))

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


class WideClip(Rule):
    """Clip between computed bounds -> Min(Max(x, low), high)."""

    name = "clip-to-min-max"
    roots = ("Clip",)
    examples = ()

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
