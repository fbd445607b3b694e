"""Decompositions of normalizations into reductions, for targets without the operator."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.norm import GroupNormalization, InstanceNormalization, LayerNormalization, RMSNormalization
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.match import is_wanted


class RMSNormToReduce(Rule):
    """RMSNormalization(x) -> x / Sqrt(ReduceMean(x * x) + epsilon) * scale."""

    name = "rms-norm-to-reduce"
    roots = ("RMSNormalization",)
    examples = (
        Example(
            "float[2,3] x",
            "y = RMSNormalization(x, s)",
            "q = Mul(x, x)  m = ReduceMean<keepdims = 1>(q, a)  e = Add(m, c)  r = Sqrt(e)  "
            "d = Div(x, r)  y = Mul(d, s)",
            constants="float[3] s = {1, 2, 3}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = RMSNormalization.decode(Reader(node))
        axes = g.ints(*range(op.axis, Reader(node).rank(op.x)))
        square = g.op("ReduceMean", g.op("Mul", op.x, op.x), axes, keepdims=1)
        root = g.op("Sqrt", g.op("Add", square, g.like(op.epsilon, op.x)))
        return [g.op("Mul", g.op("Div", op.x, root), op.scale)]


class LayerNormToReduce(Rule):
    """LayerNormalization(x) -> (x - mean) / Sqrt(variance + epsilon) * scale + bias."""

    name = "layer-norm-to-reduce"
    roots = ("LayerNormalization",)
    examples = (
        Example(
            "float[2,3] x",
            "y = LayerNormalization(x, s, b)",
            "m = ReduceMean<keepdims = 1>(x, a)  n = Sub(x, m)  k = ReduceMean<keepdims = 1>(n, a)  h = Sub(n, k)  "
            "q = Mul(h, h)  v = ReduceMean<keepdims = 1>(q, a)  "
            "e = Add(v, c)  r = Sqrt(e)  d = Div(h, r)  f = Mul(d, s)  y = Add(f, b)",
            constants="float[3] s = {1, 2, 3}, float[3] b = {0.5, 0, -1}",
        ),
        Example(
            "float[2,3] x",
            "n, m, v = LayerNormalization(x, s)  y = Add(n, m)",
            "t = ReduceMean<keepdims = 1>(x, c)  z = Sub(x, t)  v = ReduceMean<keepdims = 1>(z, c)  "
            "o = Sub(z, v)  k = Mul(o, o)  l = ReduceMean<keepdims = 1>(k, c)  m = Add(l, d)  n = Sqrt(m)  "
            "aa = Div(o, n)  ab = Mul(aa, s)  ac = Reciprocal(n)  y = Add(ab, t)",
            constants="float[3] s = {1, 2, 3}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = LayerNormalization.decode(Reader(node))
        axes = g.ints(*range(op.axis, Reader(node).rank(op.x)))
        mean, centred = _centred(op.x, axes, g)
        deviation = _deviation(centred, axes, op.epsilon, g)
        normal = g.op("Mul", g.op("Div", centred, deviation), op.scale)
        first = normal if op.bias is None else g.op("Add", normal, op.bias)
        if not statistics_are_used(node):
            return [first, *(first for _ in node.outputs[1:])]
        return [first, mean, g.op("Reciprocal", deviation)][: len(node.outputs)]


def statistics_are_used(node: ir.Node) -> bool:
    """Whether a LayerNormalization's mean or inverse standard deviation is used."""
    return any(is_wanted(out) for out in node.outputs[1:])


class GroupNormToReduce(Rule):
    """GroupNormalization and InstanceNormalization(x) -> reductions on a grouped view (static shape)."""

    name = "group-norm-to-reduce"
    roots = ("GroupNormalization", "InstanceNormalization")
    examples = (
        Example(
            "float[1,4,3,3] x",
            "y = GroupNormalization<num_groups = 2>(x, s, b)",
            "f = Reshape(x, u)  m = ReduceMean<keepdims = 1>(f, a)  o = Sub(f, m)  i = ReduceMean<keepdims = 1>(o, a)  "
            "c = Sub(o, i)  q = Mul(c, c)  "
            "v = ReduceMean<keepdims = 1>(q, a)  e = Add(v, t)  r = Sqrt(e)  d = Div(c, r)  h = Reshape(d, w)  "
            "k = Reshape(s, p)  l = Reshape(b, p)  n = Mul(h, k)  y = Add(n, l)",
            constants="float[4] s = {1, 2, 3, 4}, float[4] b = {0.5, 0, -1, 1}",
        ),
        Example(
            "float[1,2,3] x",
            "y = InstanceNormalization(x, s, b)",
            "f = Reshape(x, u)  m = ReduceMean<keepdims = 1>(f, a)  o = Sub(f, m)  i = ReduceMean<keepdims = 1>(o, a)  "
            "c = Sub(o, i)  q = Mul(c, c)  "
            "v = ReduceMean<keepdims = 1>(q, a)  e = Add(v, t)  r = Sqrt(e)  d = Div(c, r)  h = Reshape(d, w)  "
            "k = Reshape(s, p)  l = Reshape(b, p)  n = Mul(h, k)  y = Add(n, l)",
            constants="float[2] s = {1, 2}, float[2] b = {0.5, -1}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        if node.op_type == "GroupNormalization":
            op: GroupNormalization | InstanceNormalization = GroupNormalization.decode(r)
            groups = r.integer("num_groups")
        else:
            op = InstanceNormalization.decode(r)
            groups = 0
        shape = static_shape(op.x)
        if shape is None:
            return Miss("the shape is not static")
        n, c = shape[:2]
        flat = g.op("Reshape", op.x, g.ints(n, groups or c, -1))
        normal = g.op("Reshape", standardize(flat, g.ints(2), op.epsilon, g), g.ints(*shape))
        per_channel = g.ints(c, *(1,) * (len(shape) - 2))
        scale, bias = (g.op("Reshape", v, per_channel) for v in (op.scale, op.bias))
        return [g.op("Add", g.op("Mul", normal, scale), bias)]


def standardize(x: Value, axes: Value, epsilon: float, g: GraphBuilder) -> Value:
    """(x - mean) / sqrt(variance + epsilon) over the axes."""
    _, centred = _centred(x, axes, g)
    return g.op("Div", centred, _deviation(centred, axes, epsilon, g))


def _centred(x: Value, axes: Value, g: GraphBuilder) -> tuple[Value, Value]:
    """The mean, and x minus it. A large mean has a rounding error that matters for the variance, so the mean of the
    difference is subtracted as well.
    """
    mean = g.op("ReduceMean", x, axes, keepdims=1)
    near = g.op("Sub", x, mean)
    return mean, g.op("Sub", near, g.op("ReduceMean", near, axes, keepdims=1))


def _deviation(centred: Value, axes: Value, epsilon: float, g: GraphBuilder) -> Value:
    """sqrt(variance + epsilon)."""
    variance = g.op("ReduceMean", g.op("Mul", centred, centred), axes, keepdims=1)
    return g.op("Sqrt", g.op("Add", variance, g.like(epsilon, centred)))
