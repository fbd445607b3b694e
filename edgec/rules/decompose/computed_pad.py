"""Pads whose amounts are computed from open sizes, for kernels that do not accept negative ones."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant
from edgec.ops.base import Reader, Value
from edgec.ops.shape import Pad
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.intervals import interval_of
from edgec.rules.match import producer

Entry = int | Value
"""The amount on one side of a dimension: a number, or a computed tensor of one element."""


def adds(op: Pad) -> bool:
    """Whether it is a constant-mode Pad of all dimensions in order, by computed amounts that are never negative."""
    interval = interval_of(op.pads)
    whole = op.x.shape is not None and op.axes == tuple(range(len(op.x.shape)))
    return op.begin is None and op.mode == "constant" and whole and interval is not None and interval.low >= 0


class ComputedPad(Rule):
    """Pad by computed, maybe negative amounts -> Slice by the negative ones, Pad of all dimensions by the others."""

    name = "computed-pad"
    roots = ("Pad",)
    examples = (
        Example(
            "float[2,n] x",
            "s = Shape<start = 1, end = 2>(x)  d = Sub(c, s)  p = Concat<axis = 0>(o, o, o, d)  y = Pad(x, p)",
            "s = Shape<start = 1, end = 2>(x)  d = Sub(c, s)  e = Shape<start = 1, end = 2>(x)  n = Min(d, o)  "
            "b = Add(e, n)  k = Concat<axis = 0>(b)  t = Slice(x, o, k, u)  m = Max(d, o)  "
            "p = Concat<axis = 0>(o, o, o, m)  y = Pad(t, p)",
            constants="int64[1] c = {3}, int64[1] o = {0}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Pad.decode(Reader(node))
        if op.begin is not None or adds(op):
            return NOT_HERE
        if op.mode != "constant" or op.axes is None or op.x.shape is None:
            return Miss("not a constant padding of known dimensions")
        rank = len(op.x.shape)
        sides = _sides(op, rank, g)
        cropped = _cropped(op.x, sides, g)
        pads = g.op("Concat", *(_entry(g, _at_least_zero(side, g)) for side in sides), axis=0)
        fill = () if op.fill_value is None else (op.fill_value,)
        y = g.op("Pad", cropped, pads, *fill)
        y.shape = op.y.shape
        return [y]


def _sides(op: Pad, rank: int, g: GraphBuilder) -> list[Entry]:
    """The amounts before each dimension, then after each."""
    assert op.axes is not None
    parts = _parts(op.pads, 2 * len(op.axes), g)
    sides: list[Entry] = [0] * (2 * rank)
    for i, axis in enumerate(op.axes):
        sides[axis], sides[axis + rank] = parts[i], parts[i + len(op.axes)]
    return sides


def _parts(pads: Value, count: int, g: GraphBuilder) -> list[Entry]:
    joined = producer(pads, "Concat")
    found: list[Entry] = []
    for part in joined.inputs if joined is not None else ():
        content = constant(part)
        if content is not None:
            found += [int(i) for i in content.reshape(-1)]
        elif part is not None:
            found.append(part)
    sized = all(isinstance(p, int) or (p.shape is not None and tuple(p.shape) == (1,)) for p in found)
    if len(found) == count and sized:
        return found
    return [g.op("Slice", pads, g.ints(i), g.ints(i + 1), g.ints(0)) for i in range(count)]


def _is_added(entry: Entry) -> bool:
    if isinstance(entry, int):
        return entry >= 0
    interval = interval_of(entry)
    return interval is not None and interval.low >= 0


def _at_least_zero(entry: Entry, g: GraphBuilder) -> Entry:
    if isinstance(entry, int):
        return max(entry, 0)
    return entry if _is_added(entry) else g.op("Max", entry, g.ints(0))


def _entry(g: GraphBuilder, entry: Entry) -> Value:
    return g.ints(entry) if isinstance(entry, int) else entry


def _cropped(x: Value, sides: list[Entry], g: GraphBuilder) -> Value:
    """x without what negative amounts cut off."""
    rank = len(sides) // 2
    axes = [axis for axis in range(rank) if not (_is_added(sides[axis]) and _is_added(sides[axis + rank]))]
    if not axes:
        return x
    starts, ends = [], []
    for axis in axes:
        starts.append(g.op("Neg", g.op("Min", _entry(g, sides[axis]), g.ints(0))))
        size = g.op("Shape", x, start=axis, end=axis + 1)
        ends.append(g.op("Add", size, g.op("Min", _entry(g, sides[axis + rank]), g.ints(0))))
    y = g.op("Slice", x, g.op("Concat", *starts, axis=0), g.op("Concat", *ends, axis=0), g.ints(*axes))
    y.shape = ir.Shape([None if i in axes else d for i, d in enumerate(x.shape or ())])
    return y
