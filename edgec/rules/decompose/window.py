"""`x[start:end] = y` with computed bounds, as in key and value caches, without computed shapes."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, is_constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.gather import ScatterND
from edgec.ops.shape import Slice, Transpose
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.indices import from_end
from edgec.rules.match import producer


class WindowWriteToWhere(Rule):
    """ScatterND of one repeated row to the rows of a slice of 0, 1, 2 … -> Where between that row and x.

    The bounds are those of a Slice: negative ones count from the end, and the slice may be empty.
    """

    name = "window-write-to-where"
    roots = ("ScatterND",)
    examples = (
        Example(
            "float[4,3] x, float[1,3] u, int64[1] s, int64[1] e",
            """w = Slice(line, s, e)  i = Unsqueeze(w, one)  r = Shape(i)  f = Slice(r, zero, one)
            h = Concat<axis = 0>(f, three)  z = Expand(u, h)  y = ScatterND(x, i, z)""",
            """a = Less(s, nil)  b = Add(s, four)  c = Where(a, b, s)  d = Less(e, nil)  g = Add(e, four)
            k = Where(d, g, e)  p = GreaterOrEqual(line, c)  q = Less(line, k)  t = And(p, q)  v = Reshape(t, column)
            y = Where(v, u, x)""",
            constants="""int64[4] line = {0, 1, 2, 3}, int64[1] one = {1}, int64[1] zero = {0}, int64[1] three = {3},
            int64 nil = {0}, int64 four = {4}, int64[2] column = {4, 1}""",
        ),
        Example("float[4,3] x, float[2,3] u, int64[2,1] i", "y = ScatterND(x, i, u)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ScatterND.decode(Reader(node))
        shape, window = static_shape(op.x), _window(op.indices)
        if op.reduction != "none" or shape is None or window is None:
            return NOT_HERE
        rank = len(shape)
        x, perm = _moved(op.x, rank)
        updates, same = _moved(op.updates, rank)
        row = _repeated(updates, perm[0], rank)
        if static_shape(window.x) != shape[:1] or same != perm or row is None:
            return Miss("the updates are not one repeated row of a fixed size")
        size = g.const(shape[0])
        start, end = (from_end(v, size, g) for v in (window.starts_value, window.ends_value))
        inside = g.op("And", g.op("GreaterOrEqual", window.x, start), g.op("Less", window.x, end))
        column = g.op("Reshape", inside, g.ints(*(shape[0] if i == perm[0] else 1 for i in range(rank))))
        y = g.op("Where", column, row, x)
        return [y if x is op.x else g.op("Transpose", y, perm=list(perm))]


def _window(indices: Value) -> Slice | None:
    """The slice of 0, 1, 2 … from which the indices are made, as one column, or None."""
    node = indices.producer()
    while node is not None and node.op_type in ("Unsqueeze", "Reshape", "Cast", "Identity"):
        node = node.inputs[0].producer() if node.inputs[0] is not None else None
    if node is None or node.op_type != "Slice" or node.domain:
        return None
    op = Slice.decode(Reader(node))
    line = constant(op.x) if is_constant(op.x) else None
    if line is None or line.ndim != 1 or not np.array_equal(line, np.arange(line.size)):
        return None
    return op if op.axes == (0,) and op.steps == (1,) else None


def _moved(value: Value, rank: int) -> tuple[Value, tuple[int, ...]]:
    """The input and permutation of a Transpose, the identity if there is none; its first axis is the one written."""
    node = producer(value, "Transpose")
    x = None if node is None else node.inputs[0]
    if node is None or x is None:
        return value, tuple(range(rank))
    return x, Transpose.decode(Reader(node)).perm


def _repeated(updates: Value, axis: int, rank: int) -> Value | None:
    """The row that all rows of the window are copies of, which broadcasts against x, or None."""
    expand = producer(updates, "Expand")
    row = None if expand is None else expand.inputs[0]
    shape = None if row is None else static_shape(row)
    if shape is None or len(shape) > rank:
        return None
    return row if ((1,) * (rank - len(shape)) + shape)[axis] == 1 else None
