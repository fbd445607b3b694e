"""Recognizes normalizations and activations that exporters write as several operators."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.reduce import Reduce
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import is_scalar, operands, producer, scalar, with_scalar


@dataclass(frozen=True)
class NormCore:
    """`x` divided by its root mean square over the last axes, with or without its mean subtracted first."""

    x: ir.Value
    axis: int
    epsilon: float
    centred: bool


class RecognizeLayerNorm(Rule):
    """(x - mean) / Sqrt(variance + eps) * scale + bias over the last axes -> LayerNormalization."""

    name = "recognize-layer-norm"
    roots = ("Add",)
    examples = (
        Example(
            "float[2,3] x",
            "m = ReduceMean<keepdims = 1>(x, a)  c = Sub(x, m)  p = Pow(c, two)  v = ReduceMean<keepdims = 1>(p, a)  "
            "e = Add(v, eps)  r = Sqrt(e)  d = Div(c, r)  f = Mul(d, s)  y = Add(f, b)",
            "y = LayerNormalization<axis = 1, epsilon = 1e-05>(x, s, b)",
            constants=(
                "int64[1] a = {-1}, float two = {2}, float eps = {1e-05}, "
                "float[3] s = {1, 2, 3}, float[3] b = {1, 0, -1}"
            ),
        ),
        Example(
            "float[2,3] x",
            "m = ReduceMean<keepdims = 1>(x, a)  c = Sub(x, m)  p = Pow(c, two)  v = ReduceMean<keepdims = 1>(p, a)  "
            "e = Add(v, eps)  r = Sqrt(e)  d = Div(c, r)  f = Mul(d, s)  y = Add(f, b)",
            None,
            constants=(
                "int64[1] a = {0}, float two = {2}, float eps = {1e-05}, "
                "float[3] s = {1, 2, 3}, float[3] b = {1, 0, -1}"
            ),
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        for product, bias in operands(node):
            scaled = producer(product, "Mul")
            if scaled is None:
                continue
            for normal, scale in operands(scaled):
                core = standardized(normal)
                if core is None or not core.centred:
                    continue
                tail = (static_shape(core.x) or ())[core.axis :]
                if static_shape(scale) != tail or static_shape(bias) != tail or not tail:
                    return Miss("scale or bias has another shape than the normalized axes")
                found = g.op("LayerNormalization", core.x, scale, bias, axis=core.axis, epsilon=core.epsilon)
                return [found]
        return NOT_HERE


class RecognizeRMSNorm(Rule):
    """x / Sqrt(mean(x²) + eps) * scale over the last axes -> RMSNormalization."""

    name = "recognize-rms-norm"
    roots = ("Mul",)
    examples = (
        Example(
            "float[2,3] x",
            "p = Mul(x, x)  v = ReduceMean<keepdims = 1>(p, a)  e = Add(v, eps)  r = Sqrt(e)  i = Reciprocal(r)  "
            "d = Mul(x, i)  y = Mul(s, d)",
            "y = RMSNormalization<axis = 1, epsilon = 1e-06>(x, s)",
            constants="int64[1] a = {-1}, float eps = {1e-06}, float[3] s = {1, 2, 3}",
        ),
        Example(
            "float[2,3] x, float[2,3] z",
            "p = Mul(z, z)  v = ReduceMean<keepdims = 1>(p, a)  e = Add(v, eps)  r = Sqrt(e)  d = Div(x, r)  "
            "y = Mul(s, d)",
            None,
            constants="int64[1] a = {-1}, float eps = {1e-06}, float[3] s = {1, 2, 3}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        for normal, scale in operands(node):
            core = standardized(normal)
            if core is None or core.centred:
                continue
            if static_shape(scale) != (static_shape(core.x) or ())[core.axis :] or constant(scale) is None:
                return Miss("the scale has another shape than the normalized axes")
            return [g.op("RMSNormalization", core.x, scale, axis=core.axis, epsilon=core.epsilon)]
        return NOT_HERE


def standardized(value: ir.Value) -> NormCore | None:
    """Recognize `c / Sqrt(ReduceMean(c²) + eps)`, where c may be `x - ReduceMean(x)`."""
    found = _over_root(value)
    if found is None:
        return None
    c, under = found
    add = producer(under, "Add")
    pair = None if add is None else next(((m, e) for m, e in operands(add) if scalar(e) is not None), None)
    if pair is None:
        return None
    mean, epsilon = producer(pair[0], "ReduceMean"), scalar(pair[1])
    axis = None if mean is None else _last_axes(mean)
    if mean is None or axis is None or epsilon is None or not _is_square(mean.inputs[0], c):
        return None
    x = _uncentred(c, axis)
    return NormCore(c, axis, epsilon, False) if x is None else NormCore(x, axis, epsilon, True)


def _over_root(value: ir.Value) -> tuple[ir.Value, ir.Value] | None:
    """(c, u) of c / Sqrt(u), c * Reciprocal(Sqrt(u)), c * (1 / Sqrt(u)) or c * u^-0.5."""
    division = producer(value, "Div")
    if division is not None and division.inputs[0] is not None:
        root = producer(division.inputs[1], "Sqrt")
        return None if root is None or root.inputs[0] is None else (division.inputs[0], root.inputs[0])
    product = producer(value, "Mul")
    for c, inverse in () if product is None else operands(product):
        under = _inverse_root(inverse)
        if under is not None:
            return c, under
    return None


def _inverse_root(value: ir.Value) -> ir.Value | None:
    power, reciprocal, division = producer(value, "Pow"), producer(value, "Reciprocal"), producer(value, "Div")
    if power is not None and is_scalar(power.inputs[1], -0.5):
        return power.inputs[0]
    inner = reciprocal.inputs[0] if reciprocal is not None else None
    if division is not None and is_scalar(division.inputs[0], 1.0):
        inner = division.inputs[1]
    root = producer(inner, "Sqrt")
    return None if root is None else root.inputs[0]


def _is_square(value: ir.Value | None, of: ir.Value) -> bool:
    product, power = producer(value, "Mul"), producer(value, "Pow")
    if product is not None:
        return product.inputs[0] is of and product.inputs[1] is of
    return power is not None and power.inputs[0] is of and is_scalar(power.inputs[1], 2.0)


def _uncentred(c: ir.Value, axis: int) -> ir.Value | None:
    """x of `x - ReduceMean(x)` over the same axes."""
    difference = producer(c, "Sub")
    mean = None if difference is None else producer(difference.inputs[1], "ReduceMean")
    if difference is None or mean is None or mean.inputs[0] is not difference.inputs[0]:
        return None
    return difference.inputs[0] if _last_axes(mean) == axis else None


def _last_axes(node: ir.Node) -> int | None:
    """The first axis of a reduction that keeps its dimensions and covers all later axes, or None."""
    op = Reduce.decode(Reader(node))
    rank = Reader(node).rank(op.x)
    if op.axes is None or not op.axes or not op.keepdims or sorted(op.axes) != list(range(min(op.axes), rank)):
        return None
    return min(op.axes)


class RecognizeTanhGelu(Rule):
    """0.5 * x * (1 + Tanh(sqrt(2/pi) * (x + 0.044715 x³))), in any order of the factors -> Gelu(x; tanh)."""

    name = "recognize-tanh-gelu"
    roots = ("Mul",)
    examples = (
        Example(
            "float[2,3] x",
            "p = Pow(x, three)  q = Mul(p, c)  a = Add(x, q)  m = Mul(a, k)  t = Tanh(m)  s = Add(t, one)  "
            "h = Mul(x, half)  y = Mul(h, s)",
            'y = Gelu<approximate = "tanh">(x)',
            constants=(
                "float three = {3}, float c = {0.044715}, float k = {0.7978846}, float one = {1}, float half = {0.5}"
            ),
        ),
        Example(
            "float[2,3] x",
            "p = Pow(x, three)  q = Mul(p, c)  a = Add(x, q)  m = Mul(a, k)  t = Tanh(m)  s = Add(t, one)  "
            "h = Mul(x, half)  y = Mul(h, s)",
            None,
            constants="float three = {3}, float c = {0.05}, float k = {0.7978846}, float one = {1}, float half = {0.5}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        for product, gate in operands(node):
            half = producer(product, "Mul")
            add = producer(gate, "Add")
            x = None if half is None else with_scalar(half, 0.5)
            tanh = None if add is None else producer(with_scalar(add, 1.0), "Tanh")
            if x is not None and tanh is not None and _cubic_of(tanh.inputs[0], x):
                return [g.op("Gelu", x, approximate="tanh")]
            # x * gate * 0.5, the half outermost
            if is_scalar(gate, 0.5) and half is not None:
                for inner, outer in operands(half):
                    add = producer(outer, "Add")
                    tanh = None if add is None else producer(with_scalar(add, 1.0), "Tanh")
                    if tanh is not None and _cubic_of(tanh.inputs[0], inner):
                        return [g.op("Gelu", inner, approximate="tanh")]
        return NOT_HERE


def _cubic_of(value: ir.Value | None, x: ir.Value) -> bool:
    """Whether the value is sqrt(2/pi) * (x + 0.044715 x³)."""
    product = producer(value, "Mul")
    add = None if product is None else producer(with_scalar(product, math.sqrt(2 / math.pi), 1e-5), "Add")
    for linear, cubic in () if add is None else operands(add):
        term = producer(cubic, "Mul")
        cube = None if term is None else with_scalar(term, 0.044715, 1e-5)
        if linear is x and cube is not None and _is_cube(cube, x):
            return True
    return False


def _is_cube(value: ir.Value, x: ir.Value) -> bool:
    power, product = producer(value, "Pow"), producer(value, "Mul")
    if power is not None:
        return power.inputs[0] is x and is_scalar(power.inputs[1], 3.0)
    return product is not None and any(a is x and _is_square(b, x) for a, b in operands(product))
