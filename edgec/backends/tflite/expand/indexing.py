"""Indexing that TFLite has only in the form of GATHER_ND and SCATTER_ND."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.gather import Gather, GatherElements, GatherND, ScatterElements
from edgec.rules.base import NOT_HERE, Miss, Replacement, Rule
from edgec.rules.decompose.indices import from_end, is_non_negative


class GatherFromEnd(Rule):
    """Gather with indices that may be negative -> Gather with indices from 0 on."""

    name = "gather-from-end"
    roots = ("Gather",)
    examples = ()

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Gather.decode(Reader(node))
        shape, array = static_shape(op.x), constant(op.indices)
        if array is not None and is_non_negative(array):
            return NOT_HERE
        if "edgec.from_end" in node.metadata_props or shape is None:
            return NOT_HERE
        result = g.op("Gather", op.x, from_end(op.indices, g.const(shape[op.axis]), g), axis=op.axis)
        g.nodes[-1].metadata_props["edgec.from_end"] = "1"
        return [result]


class GatherElementsToGatherND(Rule):
    """GatherElements(x, i; axis) -> GatherND(x, coordinates of every result) (static shapes)."""

    name = "gather-elements-to-gather-nd"
    roots = ("GatherElements",)
    examples = ()

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = GatherElements.decode(Reader(node))
        coordinates = _coordinates(op.x, op.indices, op.axis, g)
        if coordinates is None:
            return Miss("a shape is not static")
        return [g.op("GatherND", op.x, coordinates)]


class ScatterElementsToScatterND(Rule):
    """ScatterElements(x, i, u; axis) -> ScatterND(x, coordinates of every update, u) (static shapes)."""

    name = "scatter-elements-to-scatter-nd"
    roots = ("ScatterElements",)
    examples = ()

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ScatterElements.decode(Reader(node))
        coordinates = _coordinates(op.x, op.indices, op.axis, g)
        if coordinates is None:
            return Miss("a shape is not static")
        return [g.op("ScatterND", op.x, coordinates, op.updates, reduction=op.reduction)]


class BatchedGatherND(Rule):
    """GatherND with batch_dims -> GatherND whose indices spell out the batch (static shapes)."""

    name = "batched-gather-nd"
    roots = ("GatherND",)
    examples = ()

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


def _coordinates(x: Value, indices: Value, axis: int, g: GraphBuilder) -> Value | None:
    """The full address of each indexed element, (…, rank): a constant grid with the indices at `axis`."""
    shape, size = static_shape(indices), static_shape(x)
    if shape is None or size is None:
        return None
    counted = from_end(indices, g.const(np.asarray(size[axis], dtype=np.int64)), g)
    last = g.op("Unsqueeze", counted, g.ints(len(shape)))
    grid = np.indices(shape)
    parts = []
    if axis > 0:
        parts.append(g.const(np.stack(list(grid[:axis]), axis=-1), dtype=indices.dtype))
    parts.append(last)
    if axis < len(shape) - 1:
        parts.append(g.const(np.stack(list(grid[axis + 1 :]), axis=-1), dtype=indices.dtype))
    return g.op("Concat", *parts, axis=-1) if len(parts) > 1 else last
