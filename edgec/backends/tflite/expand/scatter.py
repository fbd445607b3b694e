"""Scatters at possibly repeated positions: LiteRT's SCATTER_ND can only add."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.backends.tflite.expand.indexing import count_from_start
from edgec.backends.tflite.expand.limits import limits
from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Ints, Reader, Value
from edgec.ops.gather import ScatterND
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.indices import flat_rows, from_end
from edgec.rules.match import producer


class LastWriteWins(Rule):
    """ScatterND at possibly repeated positions -> a gather of the last update of each position.

    A stable sort of the positions makes the updates of one position adjacent; the last of each run writes its index
    there, uniquely. For positions known to be distinct the scatter of the values is kept.
    """

    name = "last-write-wins"
    roots = ("ScatterND",)
    examples = (
        Example(
            "float[4,2] x, int64[3,1] i, float[3,2] u",
            "y = ScatterND(x, i, u)",
            "t = Less(i, c)  z = Add(i, d)  v = Where(t, z, i)  o = Reshape(v, e)  k = Reshape(o, f)  "
            "l = Cast<to = 6>(k)  m, n = TopK<axis = 0>(l, g)  aa = Slice(m, h, p, q)  "
            "ab = Concat<axis = 0>(aa, r)  ac = Equal(m, ab)  ad = Not(ac)  ae = Cast<to = 6>(n)  "
            "af = Add(ae, s)  ag = Where(ad, af, w)  ah = Cast<to = 7>(m)  ai = Reshape(ah, c0)  "
            'aj = ScatterND<reduction = "add">(c1, ai, ag)  ak = Reshape(u, c2)  al = Sub(aj, c3)  '
            "am = Max(al, c4)  an = Gather<axis = 0>(ak, am)  ao = Reshape(an, c5)  ap = Greater(aj, c6)  "
            "aq = Reshape(ap, c7)  y = Where(aq, ao, x)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ScatterND.decode(Reader(node))
        shape, indexed = static_shape(op.x), op.indices.shape
        k = indexed[-1] if indexed is not None else None
        if op.reduction != "none" or shape is None or not isinstance(k, int) or k == 0:
            return NOT_HERE
        if are_apart(op.indices, shape[:k]):
            return NOT_HERE
        indices = from_end(op.indices, g.const(np.asarray(shape[:k], dtype=np.int64)), g)
        places, inner = math.prod(shape[:k]), math.prod(shape[k:])
        owner = _last_writer(flat_rows(indices, shape[:k], g), places, g)
        updates = g.op("Reshape", op.updates, g.ints(-1, inner))
        number = g.op("Max", g.op("Sub", owner, g.like(1, owner)), g.like(0, owner))
        landed = g.op("Reshape", count_from_start(g, "Gather", updates, number, axis=0), g.ints(*shape))
        hit = g.op("Greater", owner, g.like(0, owner))
        wide = g.op("Reshape", hit, g.ints(*shape[:k], *(1,) * (len(shape) - k)))
        return [g.op("Where", wide, landed, op.x)]


def _last_writer(flat: Value, places: int, g: GraphBuilder) -> Value:
    """(positions,): one plus the index of the last update of each position, 0 if there is none."""
    count = static_shape(flat)
    size = g.op("Shape", flat) if count is None else g.ints(*count)
    narrow = g.op("Cast", flat, to=int(ir.DataType.INT32))
    run, order = g.multi("TopK", 2, narrow, size, axis=0)  # stable: of equal positions the earlier update comes first
    after = g.op("Concat", g.op("Slice", run, g.ints(1), g.ints(2**31 - 1), g.ints(0)), _no_position(g), axis=0)
    is_last = g.op("Not", g.op("Equal", run, after))
    number = g.op("Add", g.op("Cast", order, to=int(ir.DataType.INT32)), g.const(np.int32(1)))
    written = g.op("Where", is_last, number, g.const(np.int32(0)))
    empty = g.const(np.zeros(places, dtype=np.int32))
    column = g.op("Reshape", g.op("Cast", run, to=int(ir.DataType.INT64)), g.ints(-1, 1))
    return count_from_start(g, "ScatterND", empty, column, written, reduction="add")


def _no_position(g: GraphBuilder) -> Value:
    """-1, which is not a position."""
    return g.const(np.full(1, -1, dtype=np.int32))


def are_apart(indices: Value, sizes: Ints) -> bool:
    """Whether the rows (…, k) of ScatterND's indices are known to be distinct positions of a tensor of these sizes."""
    shape = static_shape(indices)
    if shape is not None and math.prod(shape[:-1]) <= 1:
        return True
    indices = _before_wrap(indices)
    node = indices.producer()
    if node is not None and node.op_type == "Transpose" and producer(node.inputs[0], "NonZero") is not None:
        return True
    known = constant(indices)
    offsets = known if known is not None else _offsets(indices) if sizes[1:] == () else None
    if offsets is None:
        return False
    rows = offsets.reshape(-1, len(sizes)) % np.asarray(sizes, dtype=np.int64)
    return len(np.unique(rows, axis=0)) == len(rows)


def _before_wrap(indices: Value) -> Value:
    """The indices before sizes were added to negative ones (`from_end`); the positions are the same."""
    where = producer(indices, "Where")
    given = None if where is None else where.inputs[2]
    added = None if where is None else producer(where.inputs[1], "Add")
    return given if given is not None and added is not None and added.inputs[0] is given else indices


def _offsets(value: Value) -> NDArray[np.int64] | None:
    """The difference of each element from a common, possibly unknown number."""
    array, shape, node = constant(value), static_shape(value), value.producer()
    if array is not None:
        return array.astype(np.int64)
    if shape is not None and math.prod(shape) == 1:
        return np.zeros(shape, dtype=np.int64)
    if node is None or node.domain != "" or shape is None:
        return None
    if node.op_type in ("Add", "Sub"):
        a, b = (None if v is None else _offsets(v) for v in node.inputs)
        return None if a is None or b is None else a + b if node.op_type == "Add" else a - b
    first = node.inputs[0]
    moves = node.op_type in ("Reshape", "Unsqueeze", "Squeeze", "Cast", "Expand")
    inner = _offsets(first) if moves and first is not None else None
    if inner is None:
        return None
    return np.broadcast_to(inner, shape) if node.op_type == "Expand" else inner.reshape(shape)


class ScatterByMatch(Rule):
    """ScatterND with max, min or mul -> for each position a reduction over the updates that match it.

    Exact for repeated indices too. The intermediate has updates x positions x slice elements.
    """

    name = "scatter-by-match"
    roots = ("ScatterND",)
    examples = (
        Example(
            "float[4,2] x, float[3,2] u",
            'y = ScatterND<reduction = "max">(x, i, u)',
            "t = Reshape(u, c)  z = Where(d, t, e)  v = ReduceMax<keepdims = 0>(z, f)  o = Reshape(v, g)  "
            "y = Max(x, o)",
            constants="int64[3,1] i = {0, 2, 0}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ScatterND.decode(Reader(node))
        shape, indexed = static_shape(op.x), static_shape(op.indices)
        if op.reduction not in _COMBINE:
            return NOT_HERE
        if shape is None or indexed is None or op.x.dtype is None:
            return Miss("a shape is not static")
        k, count = indexed[-1], math.prod(indexed[:-1])
        places, inner = math.prod(shape[:k]), math.prod(shape[k:])
        if count * places * inner > _MOST_MATCHES:
            return Miss(f"the intermediate would have {count * places * inner} elements")
        combine, reduce = _COMBINE[op.reduction]
        matches = _matches(op.indices, shape[:k], count, g)
        updates = g.op("Reshape", op.updates, g.ints(count, 1, inner))
        neutral = g.const(_neutral(op.reduction, op.x.dtype.numpy()))
        landed = g.op(reduce, g.op("Where", matches, updates, neutral), g.ints(0), keepdims=0)
        return [g.op(combine, op.x, g.op("Reshape", landed, g.ints(*shape)))]


_COMBINE = {"max": ("Max", "ReduceMax"), "min": ("Min", "ReduceMin"), "mul": ("Mul", "ReduceProd")}
_MOST_MATCHES = 1 << 22
"""The most elements of the intermediate, 16 MiB in float32."""


def _matches(indices: Value, sizes: Ints, count: int, g: GraphBuilder) -> Value:
    """(count, positions, 1): whether each update goes to each position; indices are non-negative."""
    place = g.op("Reshape", flat_rows(indices, sizes, g), g.ints(count, 1))
    equal = g.op("Equal", place, g.const(np.arange(math.prod(sizes), dtype=np.int64)[None, :]))
    return g.op("Unsqueeze", equal, g.ints(2))


def _neutral(reduction: str, dtype: np.dtype[np.generic]) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """The neutral element of the reduction."""
    if reduction == "mul":
        return np.asarray(1, dtype=dtype)
    least, greatest = limits(dtype)
    return np.asarray(least if reduction == "max" else greatest)
