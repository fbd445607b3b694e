"""Decomposition of Unique, for which no device runtime has an operator: all elements are compared with each other."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule

_MOST_PAIRS = 1 << 20
"""Largest number of comparisons: 1024 elements with each other."""
_MOST_COLUMNS = 64
"""Largest size of an element (a row, if an axis is given): each of its numbers is compared by one operator."""

_INT32, _INT64 = int(ir.DataType.INT32), int(ir.DataType.INT64)


class UniqueToNonZero(Rule):
    """Unique(x) -> the elements that equal none before them, in the order of their ranks (static shapes).

    An element's rank is the number of distinct elements that are smaller, or that come first if unsorted. NaNs are
    distinct.
    """

    name = "unique-to-non-zero"
    roots = ("Unique",)
    examples = (
        Example(
            "float[3] x",
            "y = Unique(x)",
            "f = Reshape(x, flat)  c = Reshape(f, column)  r = Reshape(c, row)  e = Equal(c, r)  l = Less(r, c)  "
            "same = Cast<to = 6>(e)  less = Cast<to = 6>(l)  before = ArgMax<axis = 1, keepdims = 0>(same)  "
            "b = Equal(before, places)  first = Cast<to = 6>(b)  u = Unsqueeze(first, zero)  d = Mul(less, u)  "
            "s = ReduceSum<keepdims = 0>(d, one)  rank = Cast<to = 7>(s)  v = Unsqueeze(rank, zero)  "
            "h = Equal(ranks, v)  here = Cast<to = 6>(h)  w = Unsqueeze(first, zero)  k = Mul(here, w)  "
            "n = NonZero(k)  p = Gather<axis = 0>(n, index)  y = Gather<axis = 0>(f, p)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x = r.input(0)
        axis = r.axis(r.integer("axis"), r.rank(x)) if r.has("axis") else None
        shape = static_shape(x)
        if shape is None:
            return Miss("the shape is not static")
        count = math.prod(shape) if axis is None else shape[axis]
        columns = 1 if axis is None else math.prod(shape) // max(count, 1)
        if not 0 < count * count <= _MOST_PAIRS or not 0 < columns <= _MOST_COLUMNS:
            return Miss(f"{count} elements of {columns} numbers")
        flat = g.op("Reshape", x, g.ints(-1)) if axis is None else x
        found = _Ranked(_columns(flat, axis or 0, count, columns, g), count, bool(r.integer("sorted", 1)), g)
        places = found.places()
        outputs = [g.op("Gather", flat, places, axis=axis or 0), places, found.rank]
        if len(node.outputs) > len(outputs):
            outputs.append(found.counts(places))
        return outputs[: len(node.outputs)]


def _columns(x: Value, axis: int, count: int, columns: int, g: GraphBuilder) -> list[Value]:
    """The elements' numbers: one (N, 1) for each position in an element."""
    rank = len(x.shape or ())
    moved = x if axis == 0 else g.op("Transpose", x, perm=[axis, *(i for i in range(rank) if i != axis)])
    table = g.op("Reshape", moved, g.ints(count, columns))
    return [table] if columns == 1 else list(g.multi("Split", columns, table, g.ints(*(1,) * columns), axis=1))


class _Ranked:
    """All elements compared with each other: `first` (N), whether no earlier element is equal, and `rank` (N)."""

    def __init__(self, columns: list[Value], count: int, is_sorted: bool, g: GraphBuilder) -> None:
        self._g, self._count = g, count
        self._equal, smaller = self._compared(columns)
        places = g.const(np.arange(count, dtype=np.int64))
        before = g.op("ArgMax", self._equal, axis=1, keepdims=0)  # the first equal element: itself, or an earlier one
        self._first = g.op("Cast", g.op("Equal", before, places), to=_INT32)
        if is_sorted:
            distinct = g.op("Mul", smaller, g.op("Unsqueeze", self._first, g.ints(0)))
            self.rank = g.op("Cast", g.op("ReduceSum", distinct, g.ints(1), keepdims=0), to=_INT64)
        else:
            so_far = g.op("CumSum", self._first, g.const(0), exclusive=1)
            self.rank = g.op("Cast", g.op("Gather", so_far, before), to=_INT64)

    def _compared(self, columns: list[Value]) -> tuple[Value, Value]:
        """(N, N) int32: whether j equals i, and whether j is smaller than i, in lexicographical order."""
        g = self._g
        equal = smaller = None
        for column in reversed(columns):
            across = g.op("Reshape", column, g.ints(1, self._count))
            same, less = g.op("Equal", column, across), g.op("Less", across, column)
            smaller = less if smaller is None else g.op("Or", less, g.op("And", same, smaller))
            equal = same if equal is None else g.op("And", same, equal)
        return g.op("Cast", equal, to=_INT32), g.op("Cast", smaller, to=_INT32)

    def places(self) -> Value:
        """(K): the first positions of the distinct elements, by rank."""
        g = self._g
        ranks = g.const(np.arange(self._count, dtype=np.int64).reshape(-1, 1))
        here = g.op("Cast", g.op("Equal", ranks, g.op("Unsqueeze", self.rank, g.ints(0))), to=_INT32)
        chosen = g.op("Mul", here, g.op("Unsqueeze", self._first, g.ints(0)))
        coordinates = g.op("NonZero", chosen)
        return g.op("Gather", coordinates, g.const(1), axis=0)

    def counts(self, places: Value) -> Value:
        """(K): the number of occurrences of each."""
        g = self._g
        every = g.op("ReduceSum", self._equal, g.ints(1), keepdims=0)
        return g.op("Cast", g.op("Gather", every, places), to=_INT64)
