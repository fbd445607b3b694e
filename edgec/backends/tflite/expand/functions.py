"""Functions and normalizations without a TFLite kernel, expressed in kernels that exist."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.backends.tflite.expand.limits import limits
from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.norm import LRN, BatchNormalization
from edgec.ops.reduce import REDUCTIONS, Reduce
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class ClampedMish(Rule):
    """Mish(x) -> x * Tanh(Log(1 + Exp(Min(x, 10)))), with six operators instead of nine.

    At 10 the hyperbolic tangent is 1 in float32 (1 - 4e-9), and Exp fits float16, in which a delegate may compute.
    """

    name = "clamped-mish"
    roots = ("Mish",)
    examples = (
        Example(
            "float[2,3] x",
            "y = Mish(x)",
            "m = Min(x, c)  e = Exp(m)  a = Add(e, d)  l = Log(a)  t = Tanh(l)  y = Mul(x, t)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = Reader(node).input(0)
        exp = g.op("Exp", g.op("Min", x, g.like(10.0, x)))
        return [g.op("Mul", x, g.op("Tanh", g.op("Log", g.op("Add", exp, g.like(1.0, x)))))]


class InverseSines(Rule):
    """Asin(x) -> Atan(x / Sqrt((1 - x)(1 + x))); Acos(x) -> 2 Atan(Sqrt((1 - x) / (1 + x)))."""

    name = "inverse-sines"
    roots = ("Asin", "Acos")
    examples = (
        Example(
            "float[2,3] x",
            "z = Tanh(x)  y = Asin(z)",
            "t = Tanh(x)  z = Sub(c, t)  v = Add(c, t)  o = Mul(z, v)  k = Sqrt(o)  l = Div(t, k)  y = Atan(l)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = Reader(node).input(0)
        one = g.like(1, x)
        below, above = g.op("Sub", one, x), g.op("Add", one, x)
        if node.op_type == "Asin":
            return [g.op("Atan", g.op("Div", x, g.op("Sqrt", g.op("Mul", below, above))))]
        return [g.op("Mul", g.op("Atan", g.op("Sqrt", g.op("Div", below, above))), g.like(2, x))]


class LrnToPool(Rule):
    """LRN(x) -> x * Pow(bias + alpha * (mean of squares over neighbouring channels), -beta) (static shape)."""

    name = "lrn-to-pool"
    roots = ("LRN",)
    examples = (
        Example(
            "float[4,4,3,3] x",
            "y = LRN<size = 3>(x)",
            "t = Mul(x, x)  z = Reshape(t, c)  "
            "v = AveragePool<kernel_shape = [3, 1], pads = [1, 0, 1, 0], count_include_pad = 1>(z)  "
            "o = Reshape(v, d)  k = Mul(o, e)  l = Add(k, f)  m = Pow(l, g)  y = Mul(x, m)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = LRN.decode(Reader(node))
        shape = static_shape(op.x)
        if shape is None:
            return Miss("the shape is not static")
        n, c, *spatial = shape
        squares = g.op("Reshape", g.op("Mul", op.x, op.x), g.ints(n, 1, c, int(np.prod(spatial))))
        before, after = (op.size - 1) // 2, op.size // 2
        pads = [before, 0, after, 0]
        mean = g.op("AveragePool", squares, kernel_shape=[op.size, 1], pads=pads, count_include_pad=1)
        scaled = g.op("Mul", g.op("Reshape", mean, g.ints(*shape)), g.like(op.alpha, op.x))
        base = g.op("Add", scaled, g.like(op.bias, op.x))
        return [g.op("Mul", op.x, g.op("Pow", base, g.like(-op.beta, op.x)))]


class BatchNormToSteps(Rule):
    """BatchNormalization with computed statistics -> (x - mean) / Sqrt(variance + epsilon) * scale + bias."""

    name = "batch-norm-to-steps"
    roots = ("BatchNormalization",)
    examples = (
        Example(
            "float[2,3,4] x, float[3] m",
            "v = Mul(m, m)  y = BatchNormalization(x, s, b, m, v)",
            "t = Mul(m, m)  z = Reshape(t, c)  v = Add(z, d)  o = Sqrt(v)  k = Reshape(m, c)  l = Sub(x, k)  "
            "p = Div(l, o)  n = Mul(p, e)  y = Add(n, f)",
            constants="float[3] s = {1, 2, 3}, float[3] b = {0, 1, 0}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = BatchNormalization.decode(Reader(node))
        if op.training or len(node.outputs) > 1:
            return Miss("it is in training mode")
        shape = g.ints(-1, *(1,) * (Reader(node).rank(op.x) - 2))

        def wide(value: Value) -> Value:
            return g.op("Reshape", value, shape)

        root = g.op("Sqrt", g.op("Add", wide(op.var), g.like(op.epsilon, op.x)))
        normal = g.op("Div", g.op("Sub", op.x, wide(op.mean)), root)
        return [g.op("Add", g.op("Mul", normal, wide(op.scale)), wide(op.bias))]


class EmptyReduction(Rule):
    """A reduction over no elements -> its neutral element: 0, 1, or a limit of the element type."""

    name = "empty-reduction"
    roots = tuple(sorted(REDUCTIONS & {"ReduceMax", "ReduceMin", "ReduceSum", "ReduceProd"}))
    examples = (
        Example("float[2,0] x", "y = ReduceSum<keepdims = 0>(x, a)", "y = Identity(c)", "int64[1] a = {1}"),
        Example("float[2,3] x", "y = ReduceSum<keepdims = 0>(x, a)", None, "int64[1] a = {1}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Reduce.decode(Reader(node))
        shape, out = static_shape(op.x), static_shape(op.y)
        if shape is None or out is None or 0 not in shape or 0 in out or op.x.dtype is None:
            return NOT_HERE
        return [g.const(np.full(out, _start(op.kind, op.x.dtype.numpy())))]


def _start(kind: str, dtype: np.dtype[np.generic]) -> np.generic:
    """The neutral element of a reduction (ONNX ReduceMax: minus infinity if the type has it)."""
    if kind in ("ReduceSum", "ReduceProd"):
        return dtype.type(kind == "ReduceProd")
    if dtype.kind == "b":
        return dtype.type(kind == "ReduceMin")
    if dtype.kind == "f":
        return dtype.type(np.inf if kind == "ReduceMin" else -np.inf)
    least, greatest = limits(dtype)
    found: np.generic = greatest if kind == "ReduceMin" else least
    return found
