"""Roots of sums of squares of values scaled to at most 1: no square overflows or underflows in float16."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, prod

import onnx_ir as ir

from edgec.backends.coreml.precision.annotations import held, is_held
from edgec.backends.coreml.precision.intermediate_overflow import is_square
from edgec.backends.coreml.precision.preprocessing import is_raw
from edgec.backends.coreml.precision.value_ranges import SMALLEST_NORMAL
from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.reduce import Reduce
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import operands, producer, scalar

_MOST = 2**14
"""The mean of up to this many squares, one of which is 1, is a normal float16."""

_GIVEN = "float[3,3] w = {1, 2, 3, 0, 1, 2, 1, 0, 1}, int64[1] a = {1}"
_LAYER = "x = MatMul(z, w)  "
_SCALED = "m = Abs(x)  t = ReduceMax<keepdims = 1>(m, a)  k = Max(t, least)  d = Div(x, k)  p = Mul(d, d)  "


class RootOfScaledSquares(Rule):
    """Sqrt(mean(x²) + eps) -> k * Sqrt(mean((x / k)²) + eps / k²), k the largest magnitude, at least sqrt(eps).

    A sum is the mean times the number of terms, a variance n / (n - 1) times the mean; `Max` and `Clip` bound from
    below as `Add` does. Not for arithmetic on a model's inputs, which stays in float32. (BLAS's dnrm2 scales likewise.)
    """

    name = "root-of-scaled-squares"
    roots = ("Sqrt",)
    examples = (
        Example(
            "float[2,3] z",
            f"{_LAYER}q = Mul(x, x)  s = ReduceSum<keepdims = 1>(q, a)  y = Sqrt(s)",
            f"{_LAYER}{_SCALED}s = ReduceMean<keepdims = 1>(p, a)  r = Sqrt(s)  n = Mul(r, root)  y = Mul(n, k)",
            constants=_GIVEN,
        ),
        Example(
            "float[2,3] z",
            f"{_LAYER}q = Mul(x, x)  s = ReduceMean<keepdims = 0>(q, a)  e = Add(s, eps)  y = Sqrt(e)",
            f"{_LAYER}{_SCALED}s = ReduceMean<keepdims = 0>(p, a)  o = Squeeze(k, a)  u = Div(root, o)  v = Mul(u, u)  "
            "e = Add(s, v)  r = Sqrt(e)  y = Mul(r, o)",
            constants=f"{_GIVEN}, float eps = {{0.5}}",
        ),
        Example(
            "float[2,3] z",
            f"{_LAYER}q = Pow(x, two)  s = ReduceMean(q, a)  b = Mul(s, n)  v = Div(b, two)  y = Sqrt(v)",
            f"{_LAYER}{_SCALED}s = ReduceMean(p, a)  r = Sqrt(s)  n = Mul(r, root)  y = Mul(n, k)",
            constants=f"{_GIVEN}, float n = {{3}}, float two = {{2}}",
        ),
        Example("float[2,3] z", f"{_LAYER}q = Mul(x, z)  s = ReduceSum(q, a)  y = Sqrt(s)", None, constants=_GIVEN),
        Example("float[2,3] z", f"{_LAYER}q = Mul(x, x)  s = ReduceMax(q, a)  y = Sqrt(s)", None, constants=_GIVEN),
        Example("float[2,3] x", "q = Mul(x, x)  s = ReduceMean(q, a)  y = Sqrt(s)", None, constants=_GIVEN),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        found = _squares(node.inputs[0])
        if found is None or is_raw(found.x):
            return NOT_HERE
        shape, axes = static_shape(found.x), found.reduced.axes
        terms = prod(shape[a] for a in axes) if shape is not None and axes else 0
        if not 0 < terms <= _MOST:
            return Miss("the number of squares is unknown or too large")
        return [_root(found, terms, g)]


@dataclass(frozen=True)
class _Squares:
    """`gain` times the mean or sum of `x`², bounded from below by `least` (0: unbounded) with the operator `floor`."""

    x: Value
    reduced: Reduce
    gain: float = 1.0
    floor: str = ""
    least: float = 0.0


_MOVES = frozenset({"Identity", "Reshape", "Squeeze", "Unsqueeze"})


def _squares(value: Value | None) -> _Squares | None:
    """Match a sum or mean of squares, times a constant (a variance's n / (n - 1)), plus or at least a constant."""
    node = None if value is None else value.producer()
    if node is None or node.domain:
        return None
    if node.op_type in ("ReduceMean", "ReduceSum"):
        return _reduced(node)
    if node.op_type in _MOVES:
        return _squares(node.inputs[0])
    if node.op_type == "Clip" and len(node.inputs) > 1 and (len(node.inputs) < 3 or node.inputs[2] is None):
        return _kept("Max", node.inputs[0], scalar(node.inputs[1]))
    if node.op_type == "Div":
        divisor = scalar(node.inputs[1])
        return _times(node.inputs[0], None if not divisor else 1 / divisor)
    if node.op_type == "Mul":
        return next((f for a, b in operands(node) if (f := _times(a, scalar(b))) is not None), None)
    if node.op_type in ("Add", "Max") and len(node.inputs) == 2:
        return next((f for a, b in operands(node) if (f := _kept(node.op_type, a, scalar(b))) is not None), None)
    return None


def _reduced(node: ir.Node) -> _Squares | None:
    square = None if node.inputs[0] is None else node.inputs[0].producer()
    x = None if square is None or not is_square(square) or is_held(square) else square.inputs[0]
    return None if x is None else _Squares(x, Reduce.decode(Reader(node)))


def _times(value: Value | None, gain: float | None) -> _Squares | None:
    found = _squares(value) if gain is not None and 0 < gain < inf else None
    return None if found is None or found.floor or gain is None else replace(found, gain=found.gain * gain)


def _kept(floor: str, value: Value | None, least: float | None) -> _Squares | None:
    found = _squares(value) if least is not None and least > 0 else None
    return None if found is None or found.floor or least is None else replace(found, floor=floor, least=least)


def _root(found: _Squares, terms: int, g: GraphBuilder) -> Value:
    x, axes, keepdims = found.x, g.ints(*found.reduced.axes or ()), found.reduced.keepdims
    gain = found.gain * (terms if found.reduced.kind == "ReduceSum" else 1)
    root = (found.least / gain) ** 0.5
    largest = g.op("ReduceMax", g.op("Abs", x), axes, keepdims=1)
    scale = g.op("Max", largest, g.like(max(root, SMALLEST_NORMAL), x))
    part = g.op("Div", x, scale)
    mean = g.op("ReduceMean", held(g.op("Mul", part, part)), axes, keepdims=int(keepdims))
    back = scale if keepdims else g.op("Squeeze", scale, axes)
    if found.floor:
        least = g.op("Div", g.like(root, x), back)
        mean = g.op(found.floor, mean, held(g.op("Mul", least, least)))
    result = g.op("Sqrt", mean)
    if gain != 1.0:
        result = g.op("Mul", result, g.like(gain**0.5, x))
    return held(g.op("Mul", result, back))


class FunctionOfEqualParts(Rule):
    """Cos(Concat(x, x)) -> Concat(Cos(x), Cos(x)): angles are computed once, and the copy is in float16."""

    name = "function-of-equal-parts"
    roots = ("Cos", "Sin")
    examples = (
        Example("float[2,3] x", "c = Concat<axis = 1>(x, x)  y = Sin(c)", "s = Sin(x)  y = Concat<axis = 1>(s, s)"),
        Example("float[2,3] x, float[2,3] z", "c = Concat<axis = 1>(x, z)  y = Sin(c)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        parts = producer(node.inputs[0], "Concat")
        if parts is None or any(v is not parts.inputs[0] for v in parts.inputs):
            return NOT_HERE
        part = g.op(node.op_type, parts.inputs[0])
        return [g.op("Concat", *[part] * len(parts.inputs), axis=Reader(parts).integer("axis", 0))]


class PowerToRoot(Rule):
    """Pow(x, 1/2) -> Sqrt(x), Pow(x, -1/2) -> Reciprocal(Sqrt(x))."""

    name = "power-to-root"
    roots = ("Pow",)
    examples = (
        Example("float[2,3] z", "x = Abs(z)  y = Pow(x, p)", "x = Abs(z)  y = Sqrt(x)", constants="float p = {0.5}"),
        Example("float[2,3] z", "x = Exp(z)  y = Pow(x, p)", "x = Exp(z)  r = Sqrt(x)  y = Reciprocal(r)",
                constants="float p = {-0.5}"),
        Example("float[2,3] x", "y = Pow(x, p)", None, constants="float p = {2}"),
    )  # fmt: skip

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        exponent = scalar(node.inputs[1])
        if exponent not in (0.5, -0.5):
            return NOT_HERE
        root = g.op("Sqrt", node.inputs[0])
        return [root if exponent > 0 else g.op("Reciprocal", root)]


ROOT_RULES: tuple[Rule, ...] = (PowerToRoot(), RootOfScaledSquares(), FunctionOfEqualParts())
"""For float16, before ranges are observed."""
