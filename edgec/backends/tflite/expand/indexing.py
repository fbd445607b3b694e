"""Indexing that TFLite supports only with GATHER_ND and SCATTER_ND."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.gather import Gather, GatherElements, GatherND, OneHot, ScatterElements
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.indices import from_end, is_non_negative, sizes_of

_DONE = "edgec.from_start"
"""Marks a node whose computed indices are non-negative already."""


class IndicesFromStart(Rule):
    """Gather, GatherND, ScatterND and OneHot with possibly negative indices -> with non-negative ones."""

    name = "indices-from-start"
    roots = ("Gather", "GatherND", "ScatterND", "OneHot")
    examples = (
        Example(
            "float[4,2] x, int64[3] i",
            "y = Gather(x, i)",
            "t = Less(i, c)  z = Add(i, d)  v = Where(t, z, i)  y = Gather(x, v)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        position = 0 if node.op_type == "OneHot" else 1
        indices = Reader(node).input(position)
        array = constant(indices)
        if (array is not None and is_non_negative(array)) or _DONE in node.metadata_props:
            return NOT_HERE
        sizes = _sizes(node, g)
        if sizes is None:
            return NOT_HERE
        if indices.dtype is not None and indices.dtype.is_floating_point():
            indices = g.op("Cast", indices, to=int(ir.DataType.INT64))
        inputs = list(node.inputs)
        inputs[position] = from_end(indices, sizes, g)
        attributes = {name: a.value for name, a in node.attributes.items()}
        return [count_from_start(g, node.op_type, *inputs, **attributes)]


def count_from_start(g: GraphBuilder, op_type: str, *inputs: Value | None, **attributes: Any) -> Value:
    """Build an operator whose computed indices are known to be non-negative."""
    result = g.op(op_type, *inputs, **attributes)
    g.nodes[-1].metadata_props[_DONE] = "1"
    return result


def _sizes(node: ir.Node, g: GraphBuilder) -> Value | None:
    """The term added to a negative index: the size of the axis, or one for each coordinate."""
    x = Reader(node).input(0)
    if node.op_type == "OneHot":
        depth = OneHot.decode(Reader(node)).depth
        return None if depth is None else g.const(np.asarray(depth, dtype=np.int64))
    if x.shape is None:
        return None
    if node.op_type == "Gather":
        return sizes_of(x, (Gather.decode(Reader(node)).axis,), g)
    shape = Reader(node).input(1).shape
    count = None if shape is None else shape[-1]
    batch = GatherND.decode(Reader(node)).batch_dims if node.op_type == "GatherND" else 0
    return sizes_of(x, range(batch, batch + count), g) if isinstance(count, int) and count else None


class GatherElementsToGather(Rule):
    """GatherElements(x, i; axis) -> Gather of the flattened x at the flat index of every result."""

    name = "gather-elements-to-gather"
    roots = ("GatherElements",)
    examples = (
        Example(
            "float[3,4] x",
            "y = GatherElements<axis = 1>(x, i)",
            "f = Reshape(x, s)  y = Gather(f, j)",
            constants="int64[3,1] i = {3, -1, 0}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = GatherElements.decode(Reader(node))
        places = _flat_places(op.x, op.indices, op.axis, g)
        if places is None:
            return Miss("a shape is not static")
        return [g.op("Gather", g.op("Reshape", op.x, g.ints(-1)), places, axis=0)]


class ScatterElementsToScatterND(Rule):
    """ScatterElements(x, i, u; axis) -> ScatterND of the flat x at the flat index of every update (static shapes)."""

    name = "scatter-elements-to-scatter-nd"
    roots = ("ScatterElements",)
    examples = (
        Example(
            "float[3,4] x, float[3,1] u",
            "y = ScatterElements<axis = 1>(x, i, u)",
            "f = Reshape(x, s)  v = Reshape(u, s)  z = ScatterND(f, j, v)  y = Reshape(z, t)",
            constants="int64[3,1] i = {3, -1, 0}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ScatterElements.decode(Reader(node))
        shape, places = static_shape(op.x), _flat_places(op.x, op.indices, op.axis, g)
        if places is None or shape is None:
            return Miss("a shape is not static")
        flat, updates = g.op("Reshape", op.x, g.ints(-1)), g.op("Reshape", op.updates, g.ints(-1))
        y = g.op("ScatterND", flat, g.op("Reshape", places, g.ints(-1, 1)), updates, reduction=op.reduction)
        return [g.op("Reshape", y, g.ints(*shape))]


class BatchedGatherND(Rule):
    """GatherND with batch_dims -> GatherND whose indices include the batch (static shapes)."""

    name = "batched-gather-nd"
    roots = ("GatherND",)
    examples = (
        Example(
            "float[2,4] x, int64[2,1] i",
            "y = GatherND<batch_dims = 1>(x, i)",
            "t = Concat<axis = -1>(c, i)  y = GatherND<batch_dims = 0>(x, t)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = GatherND.decode(Reader(node))
        shape = static_shape(op.indices)
        if op.batch_dims == 0:
            return NOT_HERE
        if shape is None:
            return Miss("the indices' shape is not static")
        grids = np.indices(shape[:-1])[: op.batch_dims]
        batch = g.const(np.stack(list(grids), axis=-1), dtype=op.indices.dtype)
        return [g.op("GatherND", op.x, g.op("Concat", batch, op.indices, axis=-1), batch_dims=0)]


def _flat_places(x: Value, indices: Value, axis: int, g: GraphBuilder) -> Value | None:
    """For each element of `indices`, which are along `axis`, the flat index in x."""
    shape, sizes = static_shape(indices), static_shape(x)
    if shape is None or sizes is None:
        return None if x.shape is None or indices.shape is None else _open_places(x, indices, axis, g)
    strides = np.cumprod([1, *reversed(sizes[1:])])[::-1]
    grid = np.indices(shape, sparse=True)
    offsets = sum((grid[i] * int(strides[i]) for i in range(len(shape)) if i != axis), np.zeros((), np.int64))
    counted = from_end(indices, g.const(np.asarray(sizes[axis], dtype=np.int64)), g)
    wide = counted if counted.dtype == ir.DataType.INT64 else g.op("Cast", counted, to=int(ir.DataType.INT64))
    return g.op("Add", g.op("Mul", wide, g.const(np.asarray(strides[axis], dtype=np.int64))), g.const(offsets))


def _open_places(x: Value, indices: Value, axis: int, g: GraphBuilder) -> Value:
    """The same for open sizes: the strides and the terms of the other dimensions are computed at run time."""
    places, stride = None, g.ints(1)
    for i in reversed(range(len(x.shape or ()))):
        size = size_of(x, i, g)
        if i == axis:
            at = from_end(indices, size, g)
            at = at if at.dtype == ir.DataType.INT64 else g.op("Cast", at, to=int(ir.DataType.INT64))
        else:
            at = _counting(indices, i, g)
        step = g.op("Mul", at, stride)
        places = step if places is None else g.op("Add", places, step)
        stride = g.op("Mul", stride, size)
    assert places is not None
    return places


def size_of(x: Value, axis: int, g: GraphBuilder) -> Value:
    """The size of one dimension, (1) of int64: a constant, or read at run time."""
    assert x.shape is not None
    size = x.shape[axis]
    return g.ints(size) if isinstance(size, int) else g.op("Shape", x, start=axis, end=axis + 1)


def _counting(like: Value, axis: int, g: GraphBuilder) -> Value:
    """0, 1, 2 … along one dimension of `like`, the others being 1."""
    assert like.shape is not None
    size, column = like.shape[axis], [-1 if i == axis else 1 for i in range(len(like.shape))]
    if isinstance(size, int):
        return g.const(np.arange(size, dtype=np.int64).reshape(column))
    end = g.op("Squeeze", size_of(like, axis, g), g.ints(0))
    zero, one = (g.const(np.asarray(n, dtype=np.int64)) for n in (0, 1))
    return g.op("Reshape", g.op("Range", zero, end, one), g.ints(*column))
