"""Forms that are accurate in float16, for operators not kept in float32: softplus, long sums, tiny epsilons."""

from __future__ import annotations

from abc import abstractmethod
from math import prod

import numpy as np
import onnx_ir as ir

from edgec.backends.coreml.precision.annotations import is_wide
from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.reduce import CumSum, Reduce
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import is_float, operands, scalar

LEAST = 2.0**-24
"""The smallest positive float16."""

_SHORT = 32
"""A sum of up to this many terms loses no more than the rounding of its terms."""

_SERIES = (0.08311565, 0.01402991)
"""log(1 + e) = t * (1 + a t² + b t⁴) with t = e / (1 + e / 2) on [0, 1], error at most 8.8e-6: the series of 2 artanh,
its last two coefficients chosen for the smallest relative error (Remez)."""


class HalfRule(Rule):
    """A rule for operators computed in float16; those marked to stay in float32 are not rewritten."""

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        return NOT_HERE if is_wide(node) or not is_float(node.outputs[0]) else self.rewrite(node, g)

    @abstractmethod
    def rewrite(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        """Like `apply`, for a node that is computed in float16."""


class SoftplusOfMagnitude(HalfRule):
    """Softplus(x) -> Relu(x) + log(1 + e) with e = Exp(-|x|), the logarithm as a short series.

    exp(x) overflows above 11.1, and 1 + exp(x) is 1 below -7.6.
    """

    name = "softplus-of-magnitude"
    roots = ("Softplus",)
    examples = (
        Example(
            "float[2,3] x",
            "y = Softplus(x)",
            "m = Abs(x)  n = Neg(m)  e = Exp(n)  h = Mul(e, half)  d = Add(h, one)  t = Div(e, d)  q = Mul(t, t)  "
            "u = Mul(q, b)  v = Add(u, a)  w = Mul(q, v)  s = Mul(t, w)  l = Add(t, s)  r = Relu(x)  y = Add(r, l)",
        ),
    )

    def rewrite(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = Reader(node).input(0)
        first, second = (g.like(number, x) for number in _SERIES)
        e = g.op("Exp", g.op("Neg", g.op("Abs", x)))
        t = g.op("Div", e, g.op("Add", g.op("Mul", e, g.like(0.5, x)), g.like(1.0, x)))
        square = g.op("Mul", t, t)
        rest = g.op("Mul", square, g.op("Add", g.op("Mul", square, second), first))
        logarithm = g.op("Add", t, g.op("Mul", t, rest))
        return [g.op("Add", g.op("Relu", x), logarithm)]


class LongSumToProduct(HalfRule):
    """ReduceSum of more than 32 terms -> a product with ones, which matrix units accumulate in more than float16."""

    name = "long-sum-to-product"
    roots = ("ReduceSum",)
    examples = (
        Example(
            "float[2,64] x",
            "y = ReduceSum<keepdims = 0>(x, a)",
            "p = MatMul(x, ones)  y = Squeeze(p, a)",
            constants="int64[1] a = {1}",
        ),
        Example(
            "float[2,5,8] x",
            "y = ReduceSum<keepdims = 1>(x, a)",
            "p = MatMul(x, ones)  y = MatMul(line, p)",
            constants="int64[2] a = {1, 2}",
        ),
        Example("float[2,40,3] x", "y = ReduceSum(x, a)", "y = MatMul(line, x)", constants="int64[1] a = {1}"),
        Example("float[1,40,3,4] x", "y = ReduceSum(x, a)", "y = Conv(x, ones)", constants="int64[1] a = {1}"),
        Example("float[2,8] x", "y = ReduceSum(x, a)", None, constants="int64[1] a = {1}"),
        Example("float[64,2,3,2,3] x", "y = ReduceSum(x, a)", None, constants="int64[1] a = {0}"),
    )

    def rewrite(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Reduce.decode(Reader(node))
        if not is_long(node):
            return NOT_HERE
        total = _by_product(op, g)
        if total is None:
            return Miss("no matrix product sums along these dimensions")
        return [total if op.keepdims else g.op("Squeeze", total, g.ints(*op.axes or ()))]


def is_long(node: ir.Node) -> bool:
    """Whether a ReduceSum or CumSum has many terms, or an unknown number."""
    op = CumSum.decode(Reader(node)) if node.op_type == "CumSum" else Reduce.decode(Reader(node))
    shape = static_shape(op.x)
    axes = op.axes if isinstance(op, Reduce) else None if op.axis is None else (op.axis,)
    return axes is None or shape is None or prod(shape[a] for a in axes) > _SHORT


def has_product(node: ir.Node) -> bool:
    """Whether a ReduceSum can be a product with ones."""
    op = Reduce.decode(Reader(node))
    return static_shape(op.x) is not None and op.axes is not None and _form(op) is not None


def _form(op: Reduce) -> str | None:
    rank, axes = len(op.x.shape or ()), set(op.axes or ())
    if rank >= 2 and axes and axes <= {rank - 2, rank - 1}:
        return "MatMul"
    return "Conv" if rank in (3, 4) and axes == {1} else None


def _by_product(op: Reduce, g: GraphBuilder) -> Value | None:
    x, shape, axes, form = op.x, static_shape(op.x), op.axes or (), _form(op)
    if shape is None or form is None:
        return None
    if form == "Conv":
        return g.op("Conv", x, _ones(g, 1, shape[1], *(1,) * (len(shape) - 2)))
    if len(shape) - 1 in axes:
        x = g.op("MatMul", x, _ones(g, shape[-1], 1))
    return g.op("MatMul", _ones(g, 1, shape[-2]), x) if len(shape) - 2 in axes else x


def _ones(g: GraphBuilder, *shape: int) -> Value:
    return g.const(np.ones(shape, np.float32))


class FloorToLeast(HalfRule):
    """x + eps, max(x, eps) with an eps that is 0 in float16 -> the smallest positive float16: 0 / (0 + eps) is 0."""

    name = "floor-to-least"
    roots = ("Add", "Clip", "Max")
    examples = (
        Example("float[2,3] x", "y = Add(x, e)", "y = Add(x, e2)", constants="float e = {1e-12}"),
        Example("float[2,3] x", "y = Clip(x, e)", "y = Clip(x, e2)", constants="float e = {1e-12}"),
        Example("float[2,3] x", "y = Max(e, x)", "y = Max(x, e2)", constants="float e = {1e-9}"),
        Example("float[2,3] x", "y = Add(x, e)", None, constants="float e = {1e-6}"),
    )

    def rewrite(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        if node.op_type == "Clip" and len(node.inputs) > 1:
            x, least, *rest = node.inputs
            return [g.op("Clip", x, _least(g, least), *rest)] if _vanishes(scalar(least)) else NOT_HERE
        if len(node.inputs) == 2:
            for x, least in operands(node):
                if _vanishes(scalar(least)):
                    return [g.op(node.op_type, x, _least(g, least))]
        return NOT_HERE


class PowerToProduct(HalfRule):
    """Pow(x, 2) -> x * x, Pow(x, 3) -> x * x * x: as accurate as any product."""

    name = "power-to-product"
    roots = ("Pow",)
    examples = (
        Example("float[2,3] x", "y = Pow(x, p)", "y = Mul(x, x)", constants="float p = {2}"),
        Example("float[2,3] x", "y = Pow(x, p)", "q = Mul(x, x)  y = Mul(q, x)", constants="float p = {3}"),
        Example("float[2,3] x", "y = Pow(x, p)", None, constants="float p = {2.2}"),
    )

    def rewrite(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = Reader(node).input(0)
        if not is_product(node):
            return NOT_HERE
        square = g.op("Mul", x, x)
        return [square if scalar(node.inputs[1]) == 2.0 else g.op("Mul", square, x)]


def is_product(node: ir.Node) -> bool:
    """Whether a Pow is a product of two or three equal factors."""
    return scalar(node.inputs[1]) in (2.0, 3.0)


def _vanishes(number: float | None) -> bool:
    return number is not None and 0 < number <= LEAST / 2


def _least(g: GraphBuilder, like: Value | None) -> Value:
    shape = None if like is None else static_shape(like)
    return g.const(np.full(shape or (), LEAST, np.float32))


HALF_RULES: tuple[Rule, ...] = (SoftplusOfMagnitude(), LongSumToProduct(), PowerToProduct(), FloorToLeast())
"""Applied after the operators that stay in float32 are marked."""
