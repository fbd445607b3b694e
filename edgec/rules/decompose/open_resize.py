"""Resizes with open sizes, as products with matrices that are computed from the sizes at run time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.ops.image import Resize
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

_TRANSFORMS = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
_LARGEST_FACTOR = 64
"""Limit of the numerator and denominator of a scale that is represented as a fraction."""


class OpenResizeToMatMul(Rule):
    """Resize (linear, cubic) of open sizes -> a product with a computed (in, out) matrix along each resized axis."""

    name = "open-resize-to-matmul"
    examples = (
        Example(
            "float[1,1,3,W] x",
            'y = Resize<mode = "cubic">(x, , s)',
            "t = Shape<start = 3, end = 4>(x)  z = Mul(t, c)  v = Div(z, d)  o = Squeeze(v, e)  "
            "k = Range(f, o, g)  l = Unsqueeze(k, h)  m = Mul(l, p)  n = Add(m, q)  aa = Mul(n, d)  "
            "ab = Sub(aa, c)  ac = Mul(c, p)  ad = Slice(x, r, s, w)  ae = Slice(x, c0, c1, c2)  "
            "af = Concat<axis = 3>(ad, ad, x, ae, ae)  ag = Add(t, c3)  ah = Squeeze(ag, c4)  "
            "ai = Range(c5, ah, c6)  aj = Unsqueeze(ai, c7)  ak = Mul(ac, c8)  al = Mul(aj, ac)  "
            "am = Sub(ab, al)  an = Abs(am)  ao = Min(an, ak)  ap = Cast<to = 1>(ao)  aq = Cast<to = 1>(ac)  "
            "ar = Div(ap, aq)  at = Mul(ar, ar)  au = Mul(ar, c9)  av = Add(au, c10)  aw = Mul(av, at)  "
            "ax = Add(aw, c11)  ay = Mul(ar, c12)  az = Add(ay, c13)  ba = Mul(az, ar)  bb = Add(ba, c14)  "
            "bc = Mul(bb, ar)  bd = Add(bc, c15)  be = LessOrEqual(ar, c16)  bf = Where(be, ax, bd)  "
            "bg = Cast<to = 1>(bf)  y = MatMul(af, bg)",
            constants="float[4] s = {1, 1, 1, 2}",
        ),
    )
    roots = ("Resize",)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Resize.decode(Reader(node))
        before, after = op.x.shape, op.y.shape
        if before is None or after is None or (before.is_static() and after.is_static()):
            return NOT_HERE
        if op.mode not in ("linear", "cubic") or op.transform not in _TRANSFORMS or op.antialias or op.exclude_outside:
            return Miss("it is not a plain interpolation")
        if not op.is_stretched or op.x.dtype is None or not op.x.dtype.is_floating_point():
            return Miss("it keeps the aspect ratio, or the elements are integers")
        y = op.x
        for axis in range(len(before)):
            if before[axis] == after[axis] or (op.scales is not None and op.scales[axis] == 1.0):
                continue
            places = _source_coordinates(op, axis, g)
            if places is None:
                return Miss("its scale is not a ratio of small integers")
            y = _along(op, y, axis, places, g)
        y.shape = after
        return [y if y is not op.x else g.op("Identity", y)]


@dataclass(frozen=True)
class _Coordinates:
    """Source coordinates of each output along an axis, as (1, out) integer numerators over one denominator."""

    numerators: Value
    denominator: Value
    size: Value


def _source_coordinates(op: Resize, axis: int, g: GraphBuilder) -> _Coordinates | None:
    """ONNX's coordinate transforms in integers; if sizes are given, the scale is their ratio. None: not a fraction."""
    size = g.op("Shape", op.x, start=axis, end=axis + 1)
    one, two = g.ints(1), g.ints(2)
    if op.sizes_value is not None:
        at = op.axes.index(axis)
        new = g.op("Slice", op.sizes_value, g.ints(at), g.ints(at + 1), g.ints(0))
        up, down = new, size
    else:
        ratio = Fraction((op.scales or (1.0,))[axis]).limit_denominator(_LARGEST_FACTOR)
        if abs(float(ratio) - (op.scales or (1.0,))[axis]) > 1e-6 or ratio.numerator > _LARGEST_FACTOR:
            return None
        up, down = g.ints(ratio.numerator), g.ints(ratio.denominator)
        new = g.op("Div", g.op("Mul", size, up), down)
    zero, step = (g.const(np.asarray(n, dtype=np.int64)) for n in (0, 1))
    i = g.op("Unsqueeze", g.op("Range", zero, g.op("Squeeze", new, g.ints(0)), step), g.ints(0))
    if op.transform == "align_corners":
        last = g.op("Max", g.op("Sub", new, one), one)
        return _Coordinates(g.op("Mul", i, g.op("Sub", size, one)), last, size)
    if op.transform == "asymmetric":
        return _Coordinates(g.op("Mul", i, down), up, size)
    twice = g.op("Mul", g.op("Add", g.op("Mul", i, two), one), down)
    return _Coordinates(g.op("Sub", twice, up), g.op("Mul", up, two), size)


def _along(op: Resize, x: Value, axis: int, places: _Coordinates, g: GraphBuilder) -> Value:
    """Apply the interpolation along one axis."""
    beyond = 2 if op.mode == "cubic" else 0
    if beyond:
        first = g.op("Slice", x, g.ints(0), g.ints(1), g.ints(axis))
        last = g.op("Slice", x, g.ints(-1), g.ints(2**31 - 1), g.ints(axis))
        x = g.op("Concat", first, first, x, last, last, axis=axis)
    weights = g.op("Cast", _weights(op, places, beyond, g), to=int(op.x.dtype or ir.DataType.FLOAT))
    rank = len(op.x.shape or ())
    if axis == rank - 1:
        return g.op("MatMul", x, weights)
    perm = [i for i in range(rank) if i != axis] + [axis]
    y = g.op("MatMul", g.op("Transpose", x, perm=perm), weights)
    return g.op("Transpose", y, perm=[int(i) for i in np.argsort(perm)])


def _weights(op: Resize, places: _Coordinates, beyond: int, g: GraphBuilder) -> Value:
    """(in + 2 beyond, out): distances as integers, clipped to the filter's support, then the filter."""
    begin, step = (g.const(np.asarray(n, dtype=np.int64)) for n in (-beyond, 1))
    end = g.op("Squeeze", g.op("Add", places.size, g.ints(beyond)), g.ints(0))
    j = g.op("Unsqueeze", g.op("Range", begin, end, step), g.ints(1))
    at = places.numerators
    if not beyond:
        limit = g.op("Mul", g.op("Sub", places.size, g.ints(1)), places.denominator)
        at = g.op("Min", g.op("Max", at, g.ints(0)), limit)
    reach = g.op("Mul", places.denominator, g.ints(2 if beyond else 1))
    away = g.op("Min", g.op("Abs", g.op("Sub", at, g.op("Mul", j, places.denominator))), reach)
    single = int(ir.DataType.FLOAT)
    t = g.op("Div", g.op("Cast", away, to=single), g.op("Cast", places.denominator, to=single))
    return _cubic(t, op.cubic_a, g) if beyond else g.op("Sub", g.like(1, t), t)


def _cubic(t: Value, a: float, g: GraphBuilder) -> Value:
    """Keys, "Cubic convolution interpolation for digital image processing", 1981, at distances of 0 to 2."""

    def by(x: Value, factor: float, term: float) -> Value:
        return g.op("Add", g.op("Mul", x, g.like(factor, x)), g.like(term, x))

    square = g.op("Mul", t, t)
    near = g.op("Add", g.op("Mul", by(t, a + 2, -(a + 3)), square), g.like(1, t))
    inner = g.op("Add", g.op("Mul", by(t, a, -5 * a), t), g.like(8 * a, t))
    far = g.op("Add", g.op("Mul", inner, t), g.like(-4 * a, t))
    return g.op("Where", g.op("LessOrEqual", t, g.like(1, t)), near, far)
