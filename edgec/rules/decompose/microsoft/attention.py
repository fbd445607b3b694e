"""Attention and rotary embeddings of `com.microsoft`, expressed in ONNX's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.decompose.microsoft.elementwise import DOMAIN


class MultiHeadAttentionToAttention(Rule):
    """MultiHeadAttention(q, k, v, bias, mask, attention bias) -> Attention with heads split before and joined after."""

    name = "multi-head-attention-to-attention"
    roots = (f"{DOMAIN}::MultiHeadAttention",)
    examples = (
        Example(
            "float[1,3,4] x, float[1,5,4] k, float[1,5,4] v",
            "y = com.microsoft.MultiHeadAttention<num_heads = 2>(x, k, v)",
            "a = Reshape(x, s)  q = Transpose<perm = [0, 2, 1, 3]>(a)  b = Reshape(k, s)  "
            "c = Transpose<perm = [0, 2, 1, 3]>(b)  d = Reshape(v, s)  e = Transpose<perm = [0, 2, 1, 3]>(d)  "
            "f = Attention(q, c, e)  h = Transpose<perm = [0, 2, 1, 3]>(f)  y = Reshape(h, t)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        q, k, v = r.input(0), r.optional(1), r.optional(2)
        shapes = [None if x is None else static_shape(x) for x in (q, k, v)]
        if k is None or v is None or any(s is None for s in shapes) or len(shapes[0] or ()) != 3:
            return Miss("query, key and value are not static tensors with a query of rank 3")
        if any(r.optional(i) is not None for i in range(8, len(node.inputs))) or len(node.outputs) > 3:
            return Miss("it writes to cache buffers, or outputs the products")
        heads = r.integer("num_heads")
        if (bias := r.optional(3)) is not None:
            q, k, v = _biased([q, k, v], bias, g)
        parts = [_split_heads(x, heads, g) for x in (q, k, v)]
        parts = [parts[0], *(_appended(r.optional(6 + i), part, g) for i, part in enumerate(parts[1:]))]
        found = _attention(r, parts, (r.optional(4), r.optional(5)), g)
        return found if isinstance(found, Miss) else [found, *parts[1:]][: len(node.outputs)]


class MicrosoftAttentionToAttention(Rule):
    """Attention(x, weights, bias) -> MatMul, split into query, key and value, and Attention."""

    name = "microsoft-attention-to-attention"
    roots = (f"{DOMAIN}::Attention",)
    examples = (
        Example(
            "float[1,3,2] x",
            "y = com.microsoft.Attention<num_heads = 2>(x, w, b)",
            "v0 = MatMul(x, c0)  v1 = Add(v0, c1)  v2, v3, v4 = Split<axis = 2>(v1, c2)  v5 = Reshape(v2, c3)  "
            "v6 = Transpose<perm = [0, 2, 1, 3]>(v5)  v7 = Reshape(v3, c4)  "
            "v8 = Transpose<perm = [0, 2, 1, 3]>(v7)  v9 = Reshape(v4, c5)  "
            "v10 = Transpose<perm = [0, 2, 1, 3]>(v9)  v11 = Attention(v6, v8, v10)  "
            "v12 = Transpose<perm = [0, 2, 1, 3]>(v11)  y = Reshape(v12, c6)",
            constants="float[2,6] w = {0.1, 0.5, -1, 0.3, 0.9, -0.2, 0.7, -0.4, 0.6, 1, -0.8, 0.2}, "
            "float[6] b = {0, 1, 2, 0, 1, 2}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, weights, shape = r.input(0), r.input(1), static_shape(r.input(1))
        if shape is None or static_shape(x) is None:
            return Miss("the shape is not static")
        if r.optional(6) is not None or r.integer("do_rotary", 0):
            return Miss("it writes to a cache buffer, or applies rotary embeddings")
        sizes = r.ints("qkv_hidden_sizes", (shape[1] // 3,) * 3)
        product = g.op("MatMul", x, weights)
        if (bias := r.optional(2)) is not None:
            product = g.op("Add", product, bias)
        heads = r.integer("num_heads")
        parts = [_split_heads(p, heads, g) for p in g.multi("Split", 3, product, g.ints(*sizes), axis=2)]
        if (past := r.optional(4)) is not None:
            before = [g.op("Gather", past, g.const(np.asarray(i)), axis=0) for i in (0, 1)]
            parts = [parts[0], *(_appended(*pair, g) for pair in zip(before, parts[1:], strict=True))]
        found = _attention(r, parts, (r.optional(3), r.optional(5)), g)
        if isinstance(found, Miss) or len(node.outputs) < 2:
            return found if isinstance(found, Miss) else [found]
        return [found, g.op("Concat", *(g.op("Unsqueeze", part, g.ints(0)) for part in parts[1:]), axis=0)]


def _appended(past: Value | None, new: Value, g: GraphBuilder) -> Value:
    """The cached keys or values (B, H, P, E), followed by the new ones."""
    return new if past is None else g.op("Concat", past, new, axis=2)


def _attention(
    r: Reader, parts: Sequence[Value], masks: tuple[Value | None, Value | None], g: GraphBuilder
) -> Value | Miss:
    """Attention of operands with split heads, with a padding mask and a bias; joins the heads of the result."""
    if r.number("mask_filter_value", _MASKED) > _HIDES:
        return Miss("masked scores still count: `mask_filter_value` is too large")
    mask = _mask(*masks, parts, g)
    if isinstance(mask, Miss):
        return mask
    (_, _, queries, _), (_, _, keys, _) = (static_shape(part) or (0, 0, 0, 0) for part in parts[:2])
    causal = bool(r.integer("unidirectional", 0))
    if causal and keys != queries:  # ONNX aligns the queries with the first key
        seen = g.const(np.tril(np.ones((1, 1, queries, keys), dtype=bool), keys - queries))
        mask = _combined_mask(mask, seen, g)
    how: dict[str, Any] = {
        "scale": r.number("scale", 0.0) or None,
        "is_causal": 1 if causal and keys == queries else None,
    }
    return _join_heads(g.op("Attention", *parts, *(() if mask is None else (mask,)), **how), g)


def _combined_mask(mask: Value | None, seen: Value, g: GraphBuilder) -> Value:
    """A boolean mask or additive bias, combined with which keys each query may attend to."""
    if mask is None:
        return seen
    if mask.dtype == ir.DataType.BOOL:
        return g.op("And", mask, seen)
    return g.op("Where", seen, mask, g.like(_MASKED, mask))


def _biased(parts: list[Value], bias: Value, g: GraphBuilder) -> list[Value]:
    """Add the three biases, given in one vector, except to keys or values whose heads are split already."""
    sizes = [(static_shape(p) or (0,))[-1] if len(p.shape or ()) == 3 else 0 for p in parts]
    starts = np.cumsum([0, *sizes])[:-1]
    found = []
    for part, start, size in zip(parts, starts, sizes, strict=True):
        piece = g.op("Slice", bias, g.ints(int(start)), g.ints(int(start) + size), g.ints(0)) if size else None
        found.append(part if piece is None else g.op("Add", part, piece))
    return found


def _mask(padding: Value | None, bias: Value | None, parts: Sequence[Value], g: GraphBuilder) -> Value | Miss | None:
    """Attention's mask: an additive bias, or true for keys that count. None without either.

    `padding` is (B, T) or (B, S, T) of 0 and 1, or (B) with the number of leading keys that count.
    """
    if padding is None:
        return bias
    (batch, _, queries, _), (_, _, keys, _) = (static_shape(part) or (0, 0, 0, 0) for part in parts[:2])
    shape = static_shape(padding)
    if shape == (batch,):
        lengths = g.op("Reshape", padding, g.ints(batch, 1, 1, 1))
        kept = g.op("Less", g.const(np.arange(keys).reshape(1, 1, 1, keys), dtype=padding.dtype), lengths)
    elif shape in ((batch, keys), (batch, queries, keys)):
        laid = g.ints(batch, 1, queries if len(shape) == 3 else 1, keys)
        kept = g.op("Cast", g.op("Reshape", padding, laid), to=int(ir.DataType.BOOL))
    else:
        return Miss("the padding mask is neither (batch), (batch, keys) nor (batch, queries, keys)")
    if bias is not None:
        return g.op("Where", kept, bias, g.like(_MASKED, bias))
    return g.op("Expand", kept, g.ints(batch, 1, queries, keys))


_MASKED = -10000.0
"""The default of `mask_filter_value`, which masked scores have if there is a bias."""


_HIDES = -1000.0
"""At or below this, a masked score contributes nothing, whatever the other scores are."""


def _split_heads(x: Value, heads: int, g: GraphBuilder) -> Value:
    """(B, S, H * E) -> (B, H, S, E); with rank 4, the heads are split already."""
    shape = static_shape(x)
    assert shape is not None
    if len(shape) == 4:
        return x
    b, s, width = shape
    return g.op("Transpose", g.op("Reshape", x, g.ints(b, s, heads, width // heads)), perm=[0, 2, 1, 3])


def _join_heads(x: Value, g: GraphBuilder) -> Value:
    b, h, s, e = static_shape(x) or (0, 0, 0, 0)
    return g.op("Reshape", g.op("Transpose", x, perm=[0, 2, 1, 3]), g.ints(b, s, h * e))


class MicrosoftRotaryToOnnx(Rule):
    """RotaryEmbedding(x, positions, cos, sin) -> ONNX's RotaryEmbedding(x, cos, sin, positions)."""

    name = "microsoft-rotary-to-onnx"
    roots = (f"{DOMAIN}::RotaryEmbedding",)
    examples = (
        Example(
            "float[1,2,4,4] x",
            "y = com.microsoft.RotaryEmbedding(x, p, c, s)",
            "v0 = Reshape(c0, c1)  v1 = Add(v0, c2)  v2 = Expand(v1, c3)  "
            "y = RotaryEmbedding<interleaved = 0>(x, c4, c5, v2)",
            constants="int64[1] p = {0}, float[4,2] c = {1, 1, 0.5, 0.9, 0.1, 0.8, -0.4, 0.7}, "
            "float[4,2] s = {0, 0, 0.8, 0.4, 0.9, 0.6, 0.9, 0.7}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, positions, shape = r.input(0), r.input(1), static_shape(r.input(0))
        if shape is None or r.number("scale", 1.0) != 1.0 or r.integer("is_packed_batching", 0):
            return Miss("the shape is not static, or the batch is packed or scaled")
        steps = shape[1] if len(shape) == 3 else shape[2]
        if static_shape(positions) in ((), (1,)):  # the position of the first element
            one_row = g.op("Add", g.op("Reshape", positions, g.ints(1, 1)), g.const(np.arange(steps)[None]))
            positions = g.op("Expand", one_row, g.ints(shape[0], steps))
        width = 2 * (static_shape(r.input(2)) or (0, 0))[1]
        heads = r.integer("num_heads", 0) or (shape[2] // width if len(shape) == 3 else 0)
        return [
            g.op(
                "RotaryEmbedding",
                x,
                r.input(2),
                r.input(3),
                positions,
                interleaved=r.integer("interleaved", 0),
                num_heads=heads or None,
                rotary_embedding_dim=r.integer("rotary_embedding_dim", 0) or None,
            )
        ]
