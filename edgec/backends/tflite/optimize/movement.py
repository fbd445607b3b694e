"""Fewer copies: transposes that cancel across a reshape, that move nothing, or of which only a part is used."""

from __future__ import annotations

import onnx_ir as ir

from edgec.backends.tflite.legality.kernels import highest_rank
from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.gather import Gather
from edgec.ops.shape import Transpose
from edgec.rules.axes import common_factors, merged
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import only_use, producer


class TransposeToReshape(Rule):
    """Transpose that moves only dimensions of size 1 -> Reshape."""

    name = "transpose-to-reshape"
    roots = ("Transpose",)
    examples = (
        Example("float[2,1,3] x", "y = Transpose<perm = [1,0,2]>(x)", "y = Reshape(x, s)"),
        Example("float[2,2,3] x", "y = Transpose<perm = [1,0,2]>(x)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Transpose.decode(Reader(node))
        shape = static_shape(op.x)
        if shape is None or 0 in shape or len(merged(shape, op.perm)[0]) > 1:
            return NOT_HERE
        return [g.op("Reshape", op.x, g.ints(*(shape[i] for i in op.perm)))]


class TransposesAroundReshape(Rule):
    """Transpose(Reshape(Transpose(x))) -> one transpose between reshapes, or only a reshape."""

    name = "transposes-around-reshape"
    roots = ("Transpose",)
    examples = (
        Example(
            "float[1,4,5,3] x",
            "a = Transpose<perm = [0,3,1,2]>(x)  b = Reshape(a, s)  y = Transpose<perm = [0,2,1]>(b)",
            "y = Reshape(x, t)",
            constants="int64[3] s = {1, 3, 20}",
        ),
        Example(
            "float[2,3,4] x",
            "a = Transpose<perm = [1,0,2]>(x)  b = Reshape(a, s)  y = Transpose<perm = [1,0]>(b)",
            None,
            constants="int64[2] s = {4, 6}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        reshape = producer(node.inputs[0], "Reshape")
        inner = None if reshape is None else producer(reshape.inputs[0], "Transpose")
        if reshape is None or inner is None:
            return NOT_HERE
        first, second = Transpose.decode(Reader(inner)), Transpose.decode(Reader(node))
        shapes = [static_shape(v) for v in (first.x, inner.outputs[0], reshape.outputs[0], node.outputs[0])]
        if any(shape is None or 0 in shape for shape in shapes):
            return NOT_HERE
        before, turned, reshaped, after = (shape or () for shape in shapes)
        found = common_factors(turned, reshaped)
        if found is None:
            return NOT_HERE
        factors, of_turned, of_reshaped = found
        placed = {first.perm[i]: ids for i, ids in enumerate(of_turned)}
        source = [i for axis in range(len(before)) for i in placed[axis]]
        wanted = [i for axis in second.perm for i in of_reshaped[axis]]
        sizes, perm = merged(tuple(factors[i] for i in source), tuple(source.index(i) for i in wanted))
        if len(sizes) <= 1:
            return [g.op("Reshape", first.x, g.ints(*after))]
        alone = only_use(inner.outputs[0]) and only_use(reshape.outputs[0])
        if not alone or len(sizes) > max(len(before), len(after)):
            return NOT_HERE
        moved = g.op("Transpose", g.op("Reshape", first.x, g.ints(*sizes)), perm=list(perm))
        return [g.op("Reshape", moved, g.ints(*after))]


class SelectBeforeTranspose(Rule):
    """Gather(Transpose(x), i) of one index -> Transpose(Gather(x, i)), if all uses are such gathers."""

    name = "select-before-transpose"
    roots = ("Gather",)
    examples = (
        Example(
            "float[2,3,4] x",
            "a = Transpose<perm = [1,2,0]>(x)  y = Gather<axis = 0>(a, i)",
            "b = Gather<axis = 1>(x, i)  y = Transpose<perm = [1,0]>(b)",
            constants="int64 i = {2}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        inner = producer(node.inputs[0], "Transpose")
        op = Gather.decode(Reader(node))
        if inner is None or not all(_selects(use.node) for use in op.x.uses()) or op.x.is_graph_output():
            return NOT_HERE
        turned = Transpose.decode(Reader(inner))
        axis = turned.perm[op.axis]
        part = g.op("Gather", turned.x, op.indices, axis=axis)
        rest = [i - (i > axis) for i in turned.perm if i != axis]
        return [g.op("Transpose", part, perm=rest)]


class SelectToSlice(Rule):
    """Gather of one constant index -> Slice and Reshape, which delegates support."""

    name = "select-to-slice"
    roots = ("Gather",)
    examples = (
        Example(
            "float[2,3,4] x",
            "y = Gather<axis = 1>(x, i)",
            "a = Slice(x, s, e, d)  y = Reshape(a, t)",
            constants="int64 i = {2}",
        ),
        Example("float[2,3] x", "y = Gather<axis = 1>(x, i)", None, constants="int64[2] i = {2, 0}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Gather.decode(Reader(node))
        shape, out, index = static_shape(op.x), static_shape(node.outputs[0]), constant(op.indices)
        if not _selects(node) or shape is None or out is None or index is None or op.x.is_initializer():
            return NOT_HERE
        start = int(index.reshape(-1)[0])
        start += shape[op.axis] if start < 0 else 0
        part = g.op("Slice", op.x, g.ints(start), g.ints(start + 1), g.ints(op.axis))
        return [g.op("Reshape", part, g.ints(*out))]


def _selects(node: ir.Node) -> bool:
    """Whether the node is a Gather of one constant index that drops its axis."""
    if node.op_type != "Gather" or node.domain != "":
        return False
    return node.inputs[1] is not None and static_shape(node.inputs[1]) == () and constant(node.inputs[1]) is not None


class ReshapeAfterLinear(Rule):
    """MatMul(Reshape(x), w), and adding or multiplying a vector, if the last dimension is kept -> Reshape after it."""

    name = "reshape-after-linear"
    roots = ("MatMul", "Add", "Mul")
    examples = (
        Example(
            "float[2,3,4] x",
            "a = Reshape(x, s)  y = MatMul(a, w)",
            "m = MatMul(x, w)  y = Reshape(m, t)",
            constants="int64[2] s = {6, 4}, float[4,2] w = {1,2,3,4,5,6,7,8}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        reshape, other = producer(node.inputs[0], "Reshape"), node.inputs[1]
        if reshape is None or other is None or not other.is_initializer() or not only_use(reshape.outputs[0]):
            return NOT_HERE
        x, rank = reshape.inputs[0], 2 if node.op_type == "MatMul" else 1
        before, after, out = (
            static_shape(x) if x else None,
            static_shape(reshape.outputs[0]),
            static_shape(node.outputs[0]),
        )
        if not before or not after or not out or before[-1] != after[-1] or len(static_shape(other) or ()) != rank:
            return NOT_HERE
        if not 2 <= len(before) <= highest_rank(node.op_type) or len(out) != len(after):
            return NOT_HERE
        return [g.op("Reshape", g.op(node.op_type, x, other), g.ints(*out))]


class ShuffleChannelsLast(Rule):
    """Reshape(Transpose(Reshape(x))) that shuffles channels -> the same on channels-last data."""

    name = "shuffle-channels-last"
    roots = ("Reshape",)
    examples = (
        Example(
            "float[1,6,4,5] x",
            "a = Reshape(x, s)  t = Transpose<perm = [0,2,1,3,4]>(a)  y = Reshape(t, r)",
            "l = Transpose<perm = [0,2,3,1]>(x)  a = Reshape(l, p)  t = Transpose<perm = [0,1,2,4,3]>(a)  "
            "b = Reshape(t, q)  y = Transpose<perm = [0,3,1,2]>(b)",
            constants="int64[5] s = {1, 2, 3, 4, 5}, int64[4] r = {1, 6, 4, 5}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        turn = producer(node.inputs[0], "Transpose")
        split = None if turn is None else producer(turn.inputs[0], "Reshape")
        x = None if split is None else split.inputs[0]
        if turn is None or split is None or x is None or Transpose.decode(Reader(turn)).perm != (0, 2, 1, 3, 4):
            return NOT_HERE
        shape, parts = static_shape(x), static_shape(split.outputs[0])
        if shape is None or parts is None or len(shape) != 4 or shape != static_shape(node.outputs[0]):
            return NOT_HERE
        if parts[3:] != shape[2:] or parts[0] != shape[0]:
            return NOT_HERE
        n, c, h, w = shape
        last = g.op("Reshape", g.op("Transpose", x, perm=[0, 2, 3, 1]), g.ints(n, h, w, *parts[1:3]))
        shuffled = g.op("Reshape", g.op("Transpose", last, perm=[0, 1, 2, 4, 3]), g.ints(n, h, w, c))
        return [g.op("Transpose", shuffled, perm=[0, 3, 1, 2])]
