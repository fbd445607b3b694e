"""Decompositions of less common activations."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader
from edgec.ops.elementwise import Activation, Gelu, Shrink
from edgec.rules.base import Example, Miss, Replacement, Rule


class SwishToSigmoidMul(Rule):
    """Swish(x) -> x * Sigmoid(alpha * x)."""

    name = "swish-to-sigmoid-mul"
    roots = ("Swish",)
    examples = (Example("float[2,3] x", "y = Swish(x)", "s = Sigmoid(x)  y = Mul(x, s)", opset=24),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Activation.decode(Reader(node))
        scaled = op.x if op.alpha == 1.0 else g.op("Mul", op.x, g.like(op.alpha, op.x))
        return [g.op("Mul", op.x, g.op("Sigmoid", scaled))]


class HardSwishToHardSigmoidMul(Rule):
    """HardSwish(x) -> x * HardSigmoid(x; 1/6, 1/2)."""

    name = "hardswish-to-hardsigmoid-mul"
    roots = ("HardSwish",)
    examples = (
        Example(
            "float[2,3] x", "y = HardSwish(x)", "s = HardSigmoid<alpha = 0.16666667, beta = 0.5>(x)  y = Mul(x, s)"
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = Reader(node).input(0)
        return [g.op("Mul", x, g.op("HardSigmoid", x, alpha=1 / 6, beta=0.5))]


class MishToSoftplusTanh(Rule):
    """Mish(x) -> x * Tanh(Softplus(x))."""

    name = "mish-to-softplus-tanh"
    roots = ("Mish",)
    examples = (Example("float[2,3] x", "y = Mish(x)", "p = Softplus(x)  t = Tanh(p)  y = Mul(x, t)"),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = Reader(node).input(0)
        return [g.op("Mul", x, g.op("Tanh", g.op("Softplus", x)))]


class GeluToErf(Rule):
    """Gelu(x) -> 0.5 * x * (1 + Erf(x / sqrt(2))); the tanh form -> its polynomial (Hendrycks and Gimpel, 2016)."""

    name = "gelu-to-erf"
    roots = ("Gelu",)
    examples = (
        Example(
            "float[2,3] x",
            "y = Gelu(x)",
            "a = Mul(x, c)  e = Erf(a)  h = Mul(x, half)  s = Add(e, one)  y = Mul(h, s)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Gelu.decode(Reader(node))
        x = op.x
        if op.tanh:
            cube = g.op("Mul", g.op("Mul", x, x), x)
            inner = g.op("Add", x, g.op("Mul", cube, g.like(0.044715, x)))
            gate = g.op("Tanh", g.op("Mul", inner, g.like(np.sqrt(2 / np.pi), x)))
        else:
            gate = g.op("Erf", g.op("Mul", x, g.like(np.sqrt(0.5), x)))
        return [g.op("Mul", g.op("Mul", x, g.like(0.5, x)), g.op("Add", gate, g.like(1.0, x)))]


class CeluToElu(Rule):
    """Celu(x; alpha) -> alpha * Elu(x / alpha)."""

    name = "celu-to-elu"
    roots = ("Celu",)
    examples = (Example("float[2,3] x", "y = Celu<alpha = 2.0>(x)", "d = Div(x, a)  e = Elu(d)  y = Mul(e, a)"),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Activation.decode(Reader(node))
        alpha = g.like(op.alpha, op.x)
        return [g.op("Mul", g.op("Elu", g.op("Div", op.x, alpha), alpha=1.0), alpha)]


class SeluToElu(Rule):
    """Selu(x; alpha, gamma) -> gamma * Elu(x; alpha)."""

    name = "selu-to-elu"
    roots = ("Selu",)
    examples = (Example("float[2,3] x", "y = Selu(x)", "e = Elu<alpha = 1.6732632>(x)  y = Mul(e, g)"),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Activation.decode(Reader(node))
        return [g.op("Mul", g.op("Elu", op.x, alpha=op.alpha), g.like(op.beta, op.x))]


class ThresholdedReluToWhere(Rule):
    """ThresholdedRelu(x; alpha) -> Where(x > alpha, x, 0)."""

    name = "thresholded-relu-to-where"
    roots = ("ThresholdedRelu",)
    examples = (
        Example("float[2,3] x", "y = ThresholdedRelu<alpha = 0.5>(x)", "c = Greater(x, a)  y = Where(c, x, zero)"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Activation.decode(Reader(node))
        return [g.op("Where", g.op("Greater", op.x, g.like(op.alpha, op.x)), op.x, g.like(0.0, op.x))]


class ShrinkToWhere(Rule):
    """Shrink(x; lambd, bias) -> Where(x < -lambd, x + bias, Where(x > lambd, x - bias, 0))."""

    name = "shrink-to-where"
    roots = ("Shrink",)
    examples = (
        Example(
            "float[2,3] x",
            "y = Shrink<lambd = 0.5, bias = 0.25>(x)",
            "c = Greater(x, l)  d = Sub(x, b)  h = Where(c, d, zero)  "
            "k = Less(x, m)  e = Add(x, b)  y = Where(k, e, h)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Shrink.decode(Reader(node))
        x = op.x
        bias = g.like(op.bias, x)
        above = g.op("Where", g.op("Greater", x, g.like(op.lambd, x)), g.op("Sub", x, bias), g.like(0.0, x))
        return [g.op("Where", g.op("Less", x, g.like(-op.lambd, x)), g.op("Add", x, bias), above)]
