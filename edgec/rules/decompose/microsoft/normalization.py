"""Normalizations with a skip connection, and BERT's embeddings, of `com.microsoft`."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.decompose.microsoft.elementwise import DOMAIN


class SimplifiedLayerNormToRmsNorm(Rule):
    """SimplifiedLayerNormalization(x, scale) -> RMSNormalization."""

    name = "simplified-layer-norm-to-rms-norm"
    roots = ("SimplifiedLayerNormalization", f"{DOMAIN}::SimplifiedLayerNormalization")
    examples = (
        Example(
            "float[2,3] x",
            "y = SimplifiedLayerNormalization(x, s)",
            "y = RMSNormalization<axis = -1, epsilon = 1e-05>(x, s)",
            constants="float[3] s = {1, 2, 3}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        if _used(node, 1):
            return Miss("its second output is used")
        axis, epsilon = r.integer("axis", -1), r.number("epsilon", 1e-5)
        found = g.op("RMSNormalization", r.input(0), r.input(1), axis=axis, epsilon=epsilon)
        return [found, *(g.op("Identity", found) for _ in node.outputs[1:])]


class SkipNormToNorm(Rule):
    """SkipLayerNormalization(x, skip, …) -> Add, LayerNormalization; SkipSimplified… -> Add, RMSNormalization."""

    name = "skip-norm-to-norm"
    roots = (f"{DOMAIN}::SkipLayerNormalization", f"{DOMAIN}::SkipSimplifiedLayerNormalization")
    examples = (
        Example(
            "float[1,2,3] x, float[1,2,3] z",
            "y = com.microsoft.SkipLayerNormalization(x, z, s, b)",
            "a = Add(x, z)  y = LayerNormalization<axis = -1>(a, s, b)",
            constants="float[3] s = {1, 2, 3}, float[3] b = {0.5, 0, -1}",
        ),
        Example(
            "float[1,2,3] x, float[1,2,3] z",
            "y = com.microsoft.SkipSimplifiedLayerNormalization(x, z, s)",
            "a = Add(x, z)  y = RMSNormalization<axis = -1>(a, s)",
            constants="float[3] s = {1, 2, 3}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        if _used(node, 1) or _used(node, 2):
            return Miss("the mean or the inverse standard deviation is used")
        simplified = node.op_type.startswith("SkipSimplified")
        beta, bias = (None, r.optional(3)) if simplified else (r.optional(3), r.optional(4))
        total = g.op("Add", r.input(0), r.input(1))
        if bias is not None:
            total = g.op("Add", total, bias)
        found = _normalize(total, r.input(2), beta, r.number("epsilon", 1e-12), simplified, g)
        return [found, *(total for _ in node.outputs[1:])]


class EmbedLayerNormToGather(Rule):
    """EmbedLayerNormalization(ids, segments, …) -> the sum of three Gathers, LayerNormalization."""

    name = "embed-layer-norm-to-gather"
    roots = (f"{DOMAIN}::EmbedLayerNormalization",)
    examples = (
        Example(
            "int32[1,2] x",
            "y, m = com.microsoft.EmbedLayerNormalization(i, , w, p, , s, b)",
            "a = Gather<axis = 0>(w, i)  c = Slice(p, t, u, v)  d = Add(a, c)  "
            "y = LayerNormalization<axis = -1>(d, s, b)",
            constants=(
                "int32[1,2] i = {1, 0}, float[2,3] w = {1, 2, 3, 4, 5, 7}, float[2,3] p = {0.5, 1, -1, 2, 0.1, 0.7}, "
                "float[3] s = {1, 2, 3}, float[3] b = {0.5, 0, -1}"
            ),
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        ids, shape = r.input(0), static_shape(r.input(0))
        if shape is None:
            return Miss("the shape is not static")
        total = g.op("Gather", r.input(2), ids, axis=0)
        positions, segments, table = r.optional(8), r.optional(1), r.optional(4)
        if positions is None:
            place = g.op("Slice", r.input(3), g.ints(0), g.ints(shape[1]), g.ints(0))
        else:
            place = g.op("Gather", r.input(3), positions, axis=0)
        total = g.op("Add", total, place)
        if segments is not None and table is not None:
            total = g.op("Add", total, g.op("Gather", table, segments, axis=0))
        found = _normalize(total, r.input(5), r.optional(6), r.number("epsilon", 1e-12), False, g)
        results = [found, _mask_index(r.optional(7), shape[0], g), total]
        return results[: len(node.outputs)]


def _mask_index(mask: Value | None, batch: int, g: GraphBuilder) -> Value:
    """The number of ones in each row of the mask; 0 without a mask."""
    if mask is None:
        return g.const(np.zeros(batch, np.int32))
    ones = g.op("Cast", g.op("Equal", mask, g.like(1, mask)), to=int(ir.DataType.INT32))
    return g.op("ReduceSum", ones, g.ints(1), keepdims=0)


def _normalize(x: Value, scale: Value, bias: Value | None, epsilon: float, simplified: bool, g: GraphBuilder) -> Value:
    """Layer or RMS normalization over the last axis."""
    if simplified:
        return g.op("RMSNormalization", x, scale, axis=-1, epsilon=epsilon)
    operands = (x, scale) if bias is None else (x, scale, bias)
    return g.op("LayerNormalization", *operands, axis=-1, epsilon=epsilon)


def _used(node: ir.Node, index: int) -> bool:
    """Whether an output is used."""
    if index >= len(node.outputs):
        return False
    out = node.outputs[index]
    return out.is_graph_output() or bool(list(out.uses()))
