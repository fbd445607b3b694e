"""Writing a window of a tensor, as key and value caches do, with iOS 18's slice_update."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.backends.coreml.expand.gather import counts_from_start
from edgec.backends.coreml.newer_operations import NativeRule
from edgec.backends.coreml.ops import MIL
from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.gather import ScatterND
from edgec.ops.shape import Transpose
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement
from edgec.rules.decompose.indices import from_end
from edgec.rules.match import producer


class WindowToSliceUpdate(NativeRule):
    """ScatterND of consecutive rows -> SliceUpdate, along the axis that a preceding Transpose moved to the front."""

    name = "window-to-slice-update"
    roots = ("ScatterND",)
    makes = (f"{MIL}::SliceUpdate",)
    examples = (
        Example(
            inputs="float[6, 4] x, float[1, 4] u, int64[1, 1] i",
            before="y = ScatterND(x, i, u)",
            after="""s = Reshape(i, one) n = Less(s, zero) m = Add(s, six) p = Where(n, m, s)
                y = edgec.mil.SliceUpdate <axis = 0> (x, u, p)""",
            constants="int64[1] one = {1}, int64 zero = {0}, int64 six = {6}",
        ),
        Example(inputs="float[6, 4] x, float[2, 4] u, int64[2, 1] i", before="y = ScatterND(x, i, u)", after=None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ScatterND.decode(Reader(node))
        shape, places, count = static_shape(op.x), static_shape(op.indices), static_shape(op.updates)
        if op.reduction != "none" or shape is None or count is None or len(op.indices.shape or ()) != 2:
            return NOT_HERE
        if places is None or places[1] != 1 or len(count) != len(shape):
            return NOT_HERE
        start = _start(op.indices, count[0], g)
        if start is None:
            return Miss("the rows are not known to be consecutive")
        if not counts_from_start(node):
            start = from_end(start, g.const(shape[0]), g)
        moved = producer(op.x, "Transpose")
        if moved is None:
            return [_update(op.x, op.updates, start, 0, g)]
        perm = Transpose.decode(Reader(moved)).perm
        x = moved.inputs[0]
        assert x is not None
        back = [int(i) for i in np.argsort(perm)]
        updated = _update(x, g.op("Transpose", op.updates, perm=back), start, perm[0], g)
        return [g.op("Transpose", updated, perm=list(perm))]


def _update(x: Value, update: Value, start: Value, axis: int, g: GraphBuilder) -> Value:
    y = g.op("SliceUpdate", x, update, start, domain=MIL, axis=axis)
    y.shape, y.type = x.shape, x.type
    return y


def _start(indices: Value, count: int, g: GraphBuilder) -> Value | None:
    """The first of `count` consecutive rows, of shape (1); None if they may be other rows."""
    array = constant(indices)
    if array is not None:
        rows = array.reshape(-1)
        return g.ints(int(rows[0])) if rows.size and (np.diff(rows) == 1).all() else None
    if count == 1:
        return g.op("Reshape", indices, g.ints(1))
    return None
