"""Scatters with a reduction, as sorted updates and plain writes: TensorRT's parser supports no reduction."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Ints, Reader, Value
from edgec.ops.gather import ScatterElements, ScatterND
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.indices import flat_rows, from_end

_COMBINE = {"add": "Add", "mul": "Mul", "max": "Max", "min": "Min"}
_LARGEST_SORT = 3840
"""The largest k of TensorRT's TopK."""
_MOST_SORTS = 16
"""Per scatter: each sort comes with a copy of the whole tensor that is written to."""


@dataclass(frozen=True)
class Writes(ABC):
    """Updates at positions along an axis; `places` (int64, in [0, n)) broadcasts against `updates`."""

    places: Value
    updates: Value
    axis: int
    n: int
    combine: str

    @abstractmethod
    def taken(self, x: Value, places: Value, g: GraphBuilder) -> Value:
        """The elements of x at the positions."""

    @abstractmethod
    def put(self, x: Value, places: Value, updates: Value, g: GraphBuilder) -> Value:
        """x with the updates written at the positions."""


class Rows(Writes):
    """Each position, of (count, 1), is a row of a matrix."""

    def taken(self, x: Value, places: Value, g: GraphBuilder) -> Value:
        """Gather rows."""
        return g.op("Gather", x, g.op("Reshape", places, g.ints(-1)), axis=0)

    def put(self, x: Value, places: Value, updates: Value, g: GraphBuilder) -> Value:
        """Scatter rows."""
        return g.op("ScatterND", x, places, updates)


class Elements(Writes):
    """Each update has a position of its own, along its line."""

    def taken(self, x: Value, places: Value, g: GraphBuilder) -> Value:
        """Gather elements along the axis."""
        for axis, (size, wanted) in enumerate(zip(x.shape or (), places.shape or (), strict=True)):
            if axis != self.axis and isinstance(wanted, int) and size != wanted:
                x = _slice(x, 0, wanted, axis, g)
        return g.op("GatherElements", x, places, axis=self.axis)

    def put(self, x: Value, places: Value, updates: Value, g: GraphBuilder) -> Value:
        """Scatter elements along the axis."""
        return g.op("ScatterElements", x, places, updates, axis=self.axis)


class ScatterNDReductionToRuns(Rule):
    """ScatterND with a reduction -> updates sorted by position, combined in runs, one write each (static indices).

    The sum of a run takes log2(updates) steps, each of which adds the update 1, 2, 4 … before. Updates that do not end
    their run are written to an extra position after the last, which is sliced off.
    """

    name = "scatter-nd-reduction-to-runs"
    roots = ("ScatterND",)
    examples = (
        Example(
            "float[4,2] x, float[2,2] u",
            'y = ScatterND<reduction = "add">(x, i, u)',
            """a = Reshape(x, s)  b = Reshape(u, t)  c = Gather<axis = 0>(b, o)  d = Slice(c, k, l, m)
            e = Slice(c, n, p, m)  f = Slice(c, k, p, m)  h = Add(f, e)  j = Where(q, h, f)  z = Concat<axis = 0>(d, j)
            aa = Slice(a, k, l, m)  ab = Concat<axis = 0>(a, aa)  ac = Gather<axis = 0>(ab, r)  ad = Add(ac, z)
            ae = ScatterND(ab, v, ad)  af = Slice(ae, k, w, m)  y = Reshape(af, bb)""",
            constants="int64[2,1] i = {3, -1}",
        ),
        Example("float[4,2] x, float[2,2] u, int64[2,1] i", "y = ScatterND(x, i, u)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ScatterND.decode(Reader(node))
        if op.reduction not in _COMBINE:
            return NOT_HERE
        indexed, shape = static_shape(op.indices), op.x.shape
        sizes = None if indexed is None or shape is None else _fixed(shape[: indexed[-1]])
        if indexed is None or shape is None or not sizes:
            return Miss("the number of positions or of updates is not static")
        n, count = math.prod(sizes), math.prod(indexed[:-1])
        if n * count == 0:
            return [g.op("Identity", op.x)]
        inner = _fixed(shape[len(sizes) :])
        if inner is not None and math.prod(inner) == 0:
            return [g.op("Identity", op.x)]
        places = flat_rows(from_end(op.indices, g.const(np.asarray(sizes, dtype=np.int64)), g), sizes, g)
        rows = Rows(
            g.op("Reshape", places, g.ints(-1, 1)),
            g.op("Reshape", op.updates, g.ints(count, -1)),
            0,
            n,
            _COMBINE[op.reduction],
        )
        y = _combined(g.op("Reshape", op.x, g.ints(n, -1)), rows, count, g)
        if isinstance(y, Miss):
            return y
        static = static_shape(op.x)
        return [g.op("Reshape", y, g.op("Shape", op.x) if static is None else g.ints(*static))]


class ScatterElementsReductionToRuns(Rule):
    """ScatterElements with a reduction -> updates sorted along the axis, combined in runs, one write per position.

    Like `scatter-nd-reduction-to-runs`, for each line along the axis; the sizes along the axis are static.
    """

    name = "scatter-elements-reduction-to-runs"
    roots = ("ScatterElements",)
    examples = (
        Example(
            "float[2,4] x, float[2,2] u",
            'y = ScatterElements<axis = 1, reduction = "max">(x, i, u)',
            """c = GatherElements<axis = 1>(u, o)  d = Slice(c, k, l, m)
            e = Slice(c, n, p, m)  f = Slice(c, k, p, m)  h = Max(f, e)  j = Where(q, h, f)  z = Concat<axis = 1>(d, j)
            aa = Slice(x, k, l, m)  ab = Concat<axis = 1>(x, aa)  ac = GatherElements<axis = 1>(ab, r)  ad = Max(ac, z)
            ae = ScatterElements<axis = 1>(ab, r, ad)  y = Slice(ae, k, w, m)""",
            constants="int64[2,2] i = {3, -1, 0, 1}",
        ),
        Example("float[2,4] x, float[2,2] u, int64[2,2] i", "y = ScatterElements<axis = 1>(x, i, u)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ScatterElements.decode(Reader(node))
        if op.reduction not in _COMBINE:
            return NOT_HERE
        room, count = _size(op.x, op.axis), _size(op.indices, op.axis)
        if room is None or count is None:
            return Miss("the number of positions or of updates is not static")
        shapes = [static_shape(v) for v in (op.x, op.indices)]
        if any(shape is not None and 0 in shape for shape in shapes):
            return [g.op("Identity", op.x)]
        places = from_end(op.indices, g.const(np.int64(room)), g)
        if places.dtype != ir.DataType.INT64:
            places = g.op("Cast", places, to=int(ir.DataType.INT64))
        y = _combined(op.x, Elements(places, op.updates, op.axis, room, _COMBINE[op.reduction]), count, g)
        return y if isinstance(y, Miss) else [y]


class RoomForIndices(Rule):
    """ScatterElements with more indices along an axis than positions -> one with the axis padded, and sliced back."""

    name = "room-for-indices"
    roots = ("ScatterElements",)
    examples = (
        Example(
            "float[2] x, float[3] u",
            "y = ScatterElements(x, i, u)",
            "a = Slice(x, k, l, m)  b = Concat<axis = 0>(x, a)  c = ScatterElements(b, i, u)  y = Slice(c, k, n, m)",
            constants="int64[3] i = {1, 0, 1}",
        ),
        Example("float[3] x, float[3] u", "y = ScatterElements(x, i, u)", None, constants="int64[3] i = {1, 0, 1}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ScatterElements.decode(Reader(node))
        n, count = _size(op.x, op.axis), _size(op.indices, op.axis)
        if op.reduction != "none" or n is None or count is None or n == 0 or count <= n:
            return NOT_HERE
        room = _longer(op.x, count - n, op.axis, g)
        places = from_end(op.indices, g.const(np.int64(n)), g)
        return [_slice(g.op("ScatterElements", room, places, op.updates, axis=op.axis), 0, n, op.axis, g)]


def _combined(x: Value, writes: Writes, count: int, g: GraphBuilder) -> Value | Miss:
    """x after `count` updates per line, in as many parts as sorts are needed."""
    part = count if constant(writes.places) is not None else _LARGEST_SORT
    if math.ceil(count / part) > _MOST_SORTS:
        return Miss(f"{count} updates are more than {_MOST_SORTS} sorts of {_LARGEST_SORT}, TensorRT's largest")
    axis = writes.axis
    for start in range(0, count, part):
        end = min(start + part, count)
        places, updates = (
            v if end - start == count else _slice(v, start, end, axis, g) for v in (writes.places, writes.updates)
        )
        x = _written(x, replace(writes, places=places, updates=updates), end - start, g)
    return x


def _written(x: Value, writes: Writes, count: int, g: GraphBuilder) -> Value:
    axis = writes.axis
    run, updates, longest = _sorted(writes, count, g)
    step = 1
    while step < longest:
        updates = _joined(run, updates, step, count, writes, g)
        step *= 2
    place = g.op("Where", _ends(run, count, axis, g), run, g.const(np.int64(writes.n)))
    room = _longer(x, max(1, count - writes.n), axis, g)
    total = g.op(writes.combine, writes.taken(room, place, g), updates)
    return _slice(writes.put(room, place, total, g), 0, writes.n, axis, g)


def _longer(x: Value, by: int, axis: int, g: GraphBuilder) -> Value:
    """x with `by` more positions at the end; the parser allows no more indices along an axis than positions."""
    more = _slice(x, 0, 1, axis, g)
    if by > 1:
        rank = len(x.shape or ())
        more = g.op("Tile", more, g.ints(*(by if i == axis else 1 for i in range(rank))))
    return g.op("Concat", x, more, axis=axis)


def _sorted(writes: Writes, count: int, g: GraphBuilder) -> tuple[Value, Value, int]:
    """The sorted positions, the updates in the same order, and the most updates that one position can have."""
    axis, known = writes.axis, constant(writes.places)
    if known is not None:
        order = np.argsort(known, axis=axis, kind="stable")
        runs = np.take_along_axis(known, order, axis=axis)
        return g.const(runs), writes.taken(writes.updates, g.const(order.astype(np.int64)), g), _longest(runs, axis)
    if count == 1:
        return writes.places, writes.updates, 1
    narrow = g.op("Cast", writes.places, to=int(ir.DataType.INT32))
    keys, by = g.multi("TopK", 2, narrow, g.ints(count), axis=axis)
    run = g.op("Cast", keys, to=int(ir.DataType.INT64))
    return run, writes.taken(writes.updates, by, g), count


def _longest(run: np.ndarray[tuple[int, ...], np.dtype[np.generic]], axis: int) -> int:
    """The length of the longest run of equal numbers along an axis."""
    lines = np.moveaxis(run, axis, -1).reshape(-1, run.shape[axis])
    return max(int(np.unique(line, return_counts=True)[1].max()) for line in lines)


def _joined(run: Value, updates: Value, step: int, count: int, writes: Writes, g: GraphBuilder) -> Value:
    """Combine each update with the one `step` before it if both have the same position."""
    axis = writes.axis
    same = g.op("Equal", _slice(run, step, count, axis, g), _slice(run, 0, count - step, axis, g))
    head, before, tail = (_slice(updates, a, b, axis, g) for a, b in ((0, step), (0, count - step), (step, count)))
    both = g.op("Where", same, g.op(writes.combine, tail, before), tail)
    return g.op("Concat", head, both, axis=axis)


def _ends(run: Value, count: int, axis: int, g: GraphBuilder) -> Value:
    """Whether each position is the last of its run."""
    last = _slice(run, count - 1, count, axis, g)
    nowhere = g.op("Sub", g.op("Mul", last, g.const(np.int64(0))), g.const(np.int64(1)))
    after = nowhere if count == 1 else g.op("Concat", _slice(run, 1, count, axis, g), nowhere, axis=axis)
    return g.op("Not", g.op("Equal", run, after))


def _slice(x: Value, start: int, end: int, axis: int, g: GraphBuilder) -> Value:
    return g.op("Slice", x, g.ints(start), g.ints(end), g.ints(axis))


def _size(value: Value, axis: int) -> int | None:
    size = None if value.shape is None else value.shape[axis]
    return size if isinstance(size, int) else None


def _fixed(sizes: tuple[int | ir.SymbolicDim, ...]) -> Ints | None:
    fixed = tuple(d for d in sizes if isinstance(d, int))
    return fixed if len(fixed) == len(sizes) else None
