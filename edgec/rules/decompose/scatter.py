"""Decompositions of operators that select, write and multiply along an axis."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.gather import ScatterElements
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.indices import from_end, sizes_of


class CompressToGather(Rule):
    """Compress(x, condition) -> Gather of the positions where the condition is true."""

    name = "compress-to-gather"
    roots = ("Compress",)
    examples = (
        Example(
            "float[2,3] x",
            "y = Compress<axis = 1>(x, c)",
            "y = Gather<axis = 1>(x, i)",
            constants="bool[3] c = {1, 0, 1}",
        ),
        Example(
            "float[2,3] x, bool[3] c",
            "y = Compress<axis = 1>(x, c)",
            "z = NonZero(c)  i = Squeeze(z, s)  y = Gather<axis = 1>(x, i)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, condition = r.input(0), constant(r.input(1))
        if condition is None:
            places = g.op("Squeeze", g.op("NonZero", r.input(1)), g.ints(0))
        else:
            places = g.const(np.flatnonzero(condition))
        axis = r.axis(r.integer("axis"), r.rank(x)) if r.has("axis") else 0
        if not r.has("axis"):
            x = g.op("Reshape", x, g.ints(-1))
        return [g.op("Gather", x, places, axis=axis)]


class TensorScatterToScatterElements(Rule):
    """TensorScatter(cache, update, positions) -> ScatterElements along the sequence axis (static shapes)."""

    name = "tensor-scatter-to-scatter-elements"
    roots = ("TensorScatter",)
    examples = (
        Example(
            "float[2,4,3] x, float[2,1,3] z",
            "y = TensorScatter(x, z, p)",
            "a = Reshape(p, s)  i = Add(a, t)  r = Reshape(i, u)  e = Expand(r, v)  "
            "y = ScatterElements<axis = 1>(x, e, z)",
            constants="int64[2] p = {3, 1}",
            opset=24,
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        cache, update, start = r.input(0), r.input(1), r.optional(2)
        shape, room = static_shape(update), static_shape(cache)
        if shape is None or room is None:
            return Miss("the shape is not static")
        axis = r.axis(r.integer("axis", -2), len(shape))
        steps = g.const(np.arange(shape[axis], dtype=np.int64)[None])
        index = steps if start is None else g.op("Add", g.op("Reshape", start, g.ints(-1, 1)), steps)
        if r.string("mode", "linear") == "circular":
            index = g.op("Mod", index, g.const(room[axis]))
        batch = 1 if start is None else shape[0]
        aligned = [batch, *(1,) * (len(shape) - 1)]
        aligned[axis] = shape[axis]
        wide = g.op("Expand", g.op("Reshape", index, g.ints(*aligned)), g.ints(*shape))
        return [g.op("ScatterElements", cache, wide, update, axis=axis)]


class OpenSumsToComparison(Rule):
    """ScatterElements that adds to a vector of open size -> for each position, the sum of the updates with its index.

    (`torch.bincount`, whose size is that of the largest number.) Each position is compared with each index.
    """

    name = "open-sums-to-comparison"
    roots = ("ScatterElements",)
    examples = (
        Example(
            "float[n] x, float[3] u",
            'y = ScatterElements<reduction = "add">(x, i, u)',
            "s = Shape(x)  n = Squeeze(s, z)  p = Range(zero, n, one)  r = Reshape(p, column)  f = Less(i, zero)  "
            "t = Add(i, n)  j = Where(f, t, i)  e = Equal(r, j)  w = Where(e, u, nothing)  "
            "a = ReduceSum<keepdims = 0>(w, last)  y = Add(x, a)",
            constants="int64[3] i = {2, 0, -1}",
        ),
        Example("float[4] x, float[3] u, int64[3] i", 'y = ScatterElements<reduction = "add">(x, i, u)', None),
        Example("float[n] x, float[2] u", "y = ScatterElements(x, i, u)", None, constants="int64[2] i = {1, 0}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ScatterElements.decode(Reader(node))
        if op.reduction != "add" or len(op.x.shape or ()) != 1 or static_shape(op.x) is not None:
            return NOT_HERE
        indices = op.indices if op.indices.dtype == _INT64 else g.op("Cast", op.indices, to=int(_INT64))
        size = sizes_of(op.x, [0], g)
        places = g.op("Range", g.const(np.int64(0)), size, g.const(np.int64(1)))
        hits = g.op("Equal", g.op("Reshape", places, g.ints(-1, 1)), from_end(indices, size, g))
        chosen = g.op("Where", hits, op.updates, g.like(0, op.updates))
        return [g.op("Add", op.x, g.op("ReduceSum", chosen, g.ints(1), keepdims=0))]


_INT64 = ir.DataType.INT64


class CumProdToMul(Rule):
    """CumProd(x; axis) -> log2(n) products of x with itself shifted by 1, 2, 4 … (static size, constant axis)."""

    name = "cumprod-to-mul"
    roots = ("CumProd",)
    examples = (
        Example(
            "float[2,3] x",
            "y = CumProd(x, axis)",
            "a = Slice(x, b, c, d)  e = Pad(a, f, one)  h = Mul(x, e)  i = Slice(h, b, j, d)  k = Pad(i, l, one)  "
            "y = Mul(h, k)",
            constants="int64 axis = {1}",
            opset=26,
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, given = r.input(0), r.const_ints(1)
        shape = static_shape(x)
        if shape is None or given is None:
            return Miss("the size or the axis is not constant")
        axis, reverse = r.axis(given[0], len(shape)), bool(r.integer("reverse", 0))
        total = _shifted(x, shape, axis, 1, reverse, g) if r.integer("exclusive", 0) else x
        step = 1
        while step < shape[axis]:
            total = g.op("Mul", total, _shifted(total, shape, axis, step, reverse, g))
            step *= 2
        return [total if total is not x else g.op("Identity", total)]


def _shifted(x: Value, shape: tuple[int, ...], axis: int, by: int, reverse: bool, g: GraphBuilder) -> Value:
    """x shifted by `by` positions along an axis (towards the start if `reverse`), and filled with ones."""
    size, rank = shape[axis], len(shape)
    pads = [0] * (2 * rank)
    pads[rank + axis if reverse else axis] = by
    start, end = (by, size) if reverse else (0, size - by)
    return g.op("Pad", g.op("Slice", x, g.ints(start), g.ints(end), g.ints(axis)), g.ints(*pads), g.like(1, x))


class DetToProducts(Rule):
    """Det(x) of matrices up to 4 x 4 -> Laplace's expansion."""

    name = "det-to-products"
    roots = ("Det",)
    examples = (
        Example(
            "float[2,2] x",
            "y = Det(x)",
            "r = Gather<axis = 0>(x, i)  s = Gather<axis = 0>(x, k)  a = Gather<axis = 0>(r, j)  "
            "b = Gather<axis = 0>(r, m)  c = Gather<axis = 0>(s, n)  d = Gather<axis = 0>(s, l)  p = Mul(a, d)  "
            "q = Mul(b, c)  y = Sub(p, q)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = Reader(node).input(0)
        shape = static_shape(x)
        if shape is None or not 1 <= shape[-1] <= 4:
            return Miss("the matrix is larger than 4 x 4")
        n, axis = shape[-1], len(shape) - 2
        rows = [g.op("Gather", x, g.const(i), axis=axis) for i in range(n)]
        cells = [[g.op("Gather", row, g.const(j), axis=axis) for j in range(n)] for row in rows]
        return [_laplace(cells, g)]


def _laplace(cells: list[list[Value]], g: GraphBuilder) -> Value:
    """Laplace's expansion along the first row."""
    if len(cells) == 1:
        return cells[0][0]
    total: Value | None = None
    for j, factor in enumerate(cells[0]):
        minor = _laplace([[v for k, v in enumerate(row) if k != j] for row in cells[1:]], g)
        term = g.op("Mul", factor, minor)
        total = term if total is None else g.op("Sub" if j % 2 else "Add", total, term)
    assert total is not None
    return total


class DropoutToIdentity(Rule):
    """Dropout in inference form, or of ratio 0 -> its input; its mask is true everywhere."""

    name = "dropout-to-identity"
    roots = ("Dropout",)
    examples = (
        Example("float[2] x", "h = Dropout(x)  y = Relu(h)", "y = Relu(x)"),
        Example("float[2] x", "y = Dropout(x, r, t)", None, constants="float r = {0.5}, bool t = {1}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, ratio, training = r.input(0), r.const_scalar(1), r.const_scalar(2)
        off = r.optional(2) is None or training is False or training == 0
        if not off and not (r.optional(1) is not None and ratio == 0):
            return Miss("the dropout is active")
        found = [x if not node.outputs[0].is_graph_output() else g.op("Identity", x)]
        if len(node.outputs) > 1:
            true = g.const(np.asarray(True))
            found.append(g.op("Expand", true, g.op("Shape", x)) if node.outputs[1].name else true)
        return found
