"""Interpolated sampling of an image at computed coordinates, as gathers and weights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Value

_CUBIC_A = -0.75
"""Keys' coefficient, as fixed by PyTorch's and ONNX's GridSample."""


@dataclass(frozen=True)
class Sampler:
    """The interpolation mode and padding.

    `mode` is nearest, linear or cubic. `padding` is zeros, border or reflection, the latter about the centres of the
    outer pixels if `centres`, else about their outer edges.
    """

    mode: str
    padding: str
    centres: bool


def sample(x: Value, at: list[Value], how: Sampler, g: GraphBuilder) -> Value:
    """x (N, C, spatial…), sampled at one (N, P) tensor of pixel coordinates for each spatial axis -> (N, C, P)."""
    shape = static_shape(x)
    assert shape is not None
    sizes = shape[2:]
    inside = [_into_range(c, size, how, g) for c, size in zip(at, sizes, strict=True)]
    if how.padding == "zeros":
        # All coordinates outside read a border of zeros, so that no weight needs a mask.
        x = g.op("Pad", x, g.ints(0, 0, *(1 for _ in sizes), 0, 0, *(1 for _ in sizes)))
    source = Pixels.of(x, g)
    taps = [_taps(c, size, how, g) for c, size in zip(inside, sizes, strict=True)]
    total: Value | None = None
    for corner in product(*taps):
        pixel = source.gather([tap.index for tap in corner], g)
        weight: Value | None = None
        for tap in corner:
            weight = tap.weight if weight is None or tap.weight is None else g.op("Mul", weight, tap.weight)
        if weight is not None:
            pixel = g.op("Mul", pixel, g.op("Unsqueeze", weight, g.ints(1)))
        total = pixel if total is None else g.op("Add", total, pixel)
    assert total is not None
    return total


@dataclass(frozen=True)
class _Tap:
    """One pixel that a coordinate reads along an axis: int32 index and weight, both (N, P)."""

    index: Value
    weight: Value | None


@dataclass(frozen=True)
class Pixels:
    """An image in the layout for gathering: (C, spatial) for one image, (N * spatial, C) for several."""

    flat: Value
    shape: tuple[int, ...]

    @staticmethod
    def of(x: Value, g: GraphBuilder) -> Pixels:
        shape = static_shape(x)
        assert shape is not None
        n, c = shape[:2]
        if n == 1:
            return Pixels(g.op("Reshape", x, g.ints(c, -1)), shape)
        last = g.op("Transpose", x, perm=[0, *range(2, len(shape)), 1])
        return Pixels(g.op("Reshape", last, g.ints(-1, c)), shape)

    def gather(self, at: list[Value], g: GraphBuilder) -> Value:
        """The pixels at int32 indices, one (N, P) tensor for each spatial axis -> (N, C, P)."""
        n, c, *sizes = self.shape
        flat = at[0]
        for index, size in zip(at[1:], sizes[1:], strict=True):
            flat = g.op("Add", g.op("Mul", flat, g.like(size, flat)), index)
        points = (static_shape(flat) or (0, 0))[1]
        if n == 1:
            found = g.op("Gather", self.flat, g.op("Reshape", flat, g.ints(points)), axis=1)
            return g.op("Reshape", found, g.ints(1, c, points))
        pixels = 1
        for size in sizes:
            pixels *= size
        start = g.const([[i * pixels] for i in range(n)], dtype=ir.DataType.INT32)
        found = g.op("Gather", self.flat, g.op("Reshape", g.op("Add", flat, start), g.ints(n * points)), axis=0)
        return g.op("Transpose", g.op("Reshape", found, g.ints(n, points, c)), perm=[0, 2, 1])


def _into_range(x: Value, size: int, how: Sampler, g: GraphBuilder) -> Value:
    """The coordinates, those outside the image moved according to the padding."""
    if how.mode == "nearest":
        x = g.op("Round", x)  # half to even, as in PyTorch
    if how.padding == "border" and how.mode != "cubic":  # cubic's pixels are clipped one by one
        return _clip(x, 0, size - 1, g)
    if how.padding == "reflection":
        return _reflect(x, size, how, g)
    return x


def _clip(x: Value, low: float, high: float, g: GraphBuilder) -> Value:
    return g.op("Clip", x, g.like(low, x), g.like(high, x))


def _reflect(x: Value, size: int, how: Sampler, g: GraphBuilder) -> Value:
    """Reflect between the borders, as a triangle wave."""
    low, span = (0.0, size - 1.0) if how.centres else (-0.5, float(size))
    if span == 0:
        return g.op("Mul", x, g.like(0, x))
    from_low = g.op("Sub", x, g.like(low, x)) if low else x
    turns = g.op("Floor", g.op("Div", from_low, g.like(2 * span, x)))
    within = g.op("Sub", from_low, g.op("Mul", turns, g.like(2 * span, x)))
    return g.op("Sub", g.like(span + low, x), g.op("Abs", g.op("Sub", within, g.like(span, x))))


def _taps(x: Value, size: int, how: Sampler, g: GraphBuilder) -> list[_Tap]:
    """The pixels that a coordinate reads, with their weights."""
    if how.mode == "nearest":
        return [_Tap(_index(x, size, how, g), None)]
    first = g.op("Floor", x)
    t = g.op("Sub", x, first)
    if how.mode == "linear":
        first_offset, weights = 0, [g.op("Sub", g.like(1, x), t), t]
    else:
        first_offset, weights = -1, _cubic(t, g)
    offsets = range(first_offset, first_offset + len(weights))
    places = [first if o == 0 else g.op("Add", first, g.like(o, x)) for o in offsets]
    return [_Tap(_index(p, size, how, g), w) for p, w in zip(places, weights, strict=True)]


def _index(place: Value, size: int, how: Sampler, g: GraphBuilder) -> Value:
    """An int32 index that is always inside; shifted by one if there is a border of zeros."""
    if how.padding == "zeros":
        place = g.op("Add", _clip(place, -1, size, g), g.like(1, place))
    else:
        if how.padding == "reflection" and how.mode == "cubic":
            place = _reflect(place, size, how, g)
        place = _clip(place, 0, size - 1, g)
    return g.op("Cast", place, to=int(ir.DataType.INT32))


def _cubic(t: Value, g: GraphBuilder) -> list[Value]:
    """Weights of the pixels at -1, 0, 1 and 2 from the floor (Keys, 1981)."""
    one = g.like(1, t)
    u = g.op("Sub", one, t)
    return [_far(t, g), _near(t, g), _near(u, g), _far(u, g)]


def _near(t: Value, g: GraphBuilder) -> Value:
    """((a + 2) t - (a + 3)) t² + 1, for distances up to 1."""
    line = g.op("Sub", g.op("Mul", t, g.like(_CUBIC_A + 2, t)), g.like(_CUBIC_A + 3, t))
    return g.op("Add", g.op("Mul", g.op("Mul", line, t), t), g.like(1, t))


def _far(t: Value, g: GraphBuilder) -> Value:
    """a t (1 - t)², Keys' outer polynomial at a distance of 1 + t."""
    u = g.op("Sub", g.like(1, t), t)
    return g.op("Mul", g.op("Mul", g.op("Mul", t, g.like(_CUBIC_A, t)), u), u)
