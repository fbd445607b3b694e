"""Writes at constant positions: SCATTER_ND adds to zeros, which turns -0 into 0, and few delegates support it."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.backends.tflite.expand.scatter import are_apart
from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, is_constant, static_shape
from edgec.ops.base import Ints, Reader, Value
from edgec.ops.gather import ScatterND
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import is_float


class KnownWrites(Rule):
    """ScatterND of floats at constant positions -> Concat around consecutive rows, or Gather of old and new rows.

    Of writes at one position the last is kept.
    """

    name = "known-writes"
    roots = ("ScatterND",)
    examples = (
        Example(
            "float[4,3] x, float[2,3] u",
            "y = ScatterND(x, i, u)",
            "a = Slice(x, p, q, r)  b = Slice(x, s, t, v)  y = Concat<axis = 0>(a, u, b)",
            constants="int64[2,1] i = {1, 2}",
        ),
        Example(
            "float[4,3] x, float[3,3] u",
            "y = ScatterND(x, i, u)",
            "a = Reshape(x, r)  b = Reshape(u, r)  c = Concat<axis = 0>(a, b)  d = Gather(c, j)  y = Reshape(d, s)",
            constants="int64[3,1] i = {3, 0, -1}",
        ),
        Example("float[4,3] x, float[1,3] u", "y = ScatterND(x, i, u)", None, constants="int64[1,1] i = {1}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ScatterND.decode(Reader(node))
        rows, shape = _rows(op), static_shape(op.x)
        if rows is None or shape is None or op.reduction != "none" or rows.size <= 1:
            return NOT_HERE
        first, count = int(rows[0]), len(rows)
        if (static_shape(op.indices) or (0,))[-1] == 1 and np.array_equal(rows, np.arange(first, first + count)):
            wanted = (count, *shape[1:])
            flat = static_shape(op.updates) == wanted
            updates = op.updates if flat else g.op("Reshape", op.updates, g.ints(*wanted))
            parts = [_rows_of(op.x, 0, first, g), updates, _rows_of(op.x, first + count, shape[0], g)]
            return [g.op("Concat", *(p for p in parts if p is not None), axis=0)]
        inner = math.prod(shape[(static_shape(op.indices) or (0,))[-1] :])
        places = math.prod(shape) // inner
        taken = np.arange(places)
        taken[rows] = places + np.arange(count)
        old, new = (g.op("Reshape", v, g.ints(-1, inner)) for v in (op.x, op.updates))
        both = g.op("Concat", old, new, axis=0)
        return [g.op("Reshape", g.op("Gather", both, g.const(taken), axis=0), g.ints(*shape))]


class KnownAdditions(Rule):
    """ScatterND of floats that adds at distinct constant positions -> a write of the sums.

    Other elements are not changed: adding 0 to -0 would give 0.
    """

    name = "known-additions"
    roots = ("ScatterND",)
    examples = (
        Example(
            "float[4,3] x, float[2,3] u",
            """y = ScatterND<reduction = "add">(x, i, u)""",
            "a = GatherND(x, i)  b = Add(a, u)  y = ScatterND(x, i, b)",
            constants="int64[2,1] i = {1, 3}",
        ),
        Example(
            "float[4,3] x, float[2,3] u",
            """y = ScatterND<reduction = "add">(x, i, u)""",
            None,
            constants="int64[2,1] i = {1, 1}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ScatterND.decode(Reader(node))
        rows, shape = _rows(op), static_shape(op.x)
        if rows is None or shape is None or op.reduction != "add" or rows.size <= 1 or is_constant(op.x):
            return NOT_HERE
        if not are_apart(op.indices, shape[: (static_shape(op.indices) or (0,))[-1]]):
            return NOT_HERE
        sums = g.op("Add", g.op("GatherND", op.x, op.indices), op.updates)
        return [g.op("ScatterND", op.x, op.indices, sums)]


def _rows(op: ScatterND) -> NDArray[np.int64] | None:
    """The row of the flattened x for each update, if it is constant and the operands are floats of static shape."""
    places, shape, updates = constant(op.indices), static_shape(op.x), static_shape(op.updates)
    if places is None or shape is None or updates is None or not is_float(op.x) or 0 in (*shape, *places.shape):
        return None
    sizes = shape[: places.shape[-1]]
    wrapped = places.reshape(-1, places.shape[-1]) % np.asarray(sizes, dtype=np.int64)
    return np.asarray(wrapped.astype(np.int64) @ _strides(sizes))


def _strides(sizes: Ints) -> NDArray[np.int64]:
    return np.asarray([math.prod(sizes[i + 1 :]) for i in range(len(sizes))], dtype=np.int64)


def _rows_of(x: Value, start: int, end: int, g: GraphBuilder) -> Value | None:
    """Rows of the first dimension; None if there are none."""
    return g.op("Slice", x, g.ints(start), g.ints(end), g.ints(0)) if start < end else None
