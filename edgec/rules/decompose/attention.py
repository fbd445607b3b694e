"""Decomposition of Attention, for targets without a fused kernel."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant
from edgec.ops.base import Reader, Value
from edgec.ops.linear import Attention
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.match import is_wanted

MASKED = -1e4
"""Replaces minus infinity in float16, whose limit is 65504: exp of it is 0, and sums with it stay finite."""


class AttentionToMatMul(Rule):
    """Attention(q, k, v) -> Softmax(q * scale @ k^T + mask) @ v, for 4-D inputs and one output (static shapes)."""

    name = "attention-to-matmul"
    roots = ("Attention",)
    examples = (
        Example(
            "float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v",
            "y = Attention(q, k, v)",
            "s = Mul(q, c)  t = Transpose<perm = [0, 1, 3, 2]>(k)  m = MatMul(s, t)  "
            "p = Softmax<axis = -1>(m)  y = MatMul(p, v)",
        ),
        Example(
            "float[1,2,3,4] q, float[1,2,3,4] k, float[1,2,3,4] v",
            "y = Attention<is_causal = 1, softcap = 2.0>(q, k, v)",
            "s = Mul(q, c)  t = Transpose<perm = [0, 1, 3, 2]>(k)  m = MatMul(s, t)  d = Div(m, e)  h = Tanh(d)  "
            "i = Mul(h, e)  n = Add(i, l)  p = Softmax<axis = -1>(n)  y = MatMul(p, v)",
        ),
        Example(
            "float[1,4,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v",
            "y = Attention(q, k, v)",
            "a = Reshape(k, b)  c = Expand(a, d)  e = Reshape(c, f)  h = Reshape(v, b)  i = Expand(h, d)  "
            "j = Reshape(i, f)  s = Mul(q, l)  t = Transpose<perm = [0, 1, 3, 2]>(e)  m = MatMul(s, t)  "
            "p = Softmax<axis = -1>(m)  y = MatMul(p, j)",
        ),
        Example(
            "float[1,3,8] q, float[1,5,8] k, float[1,5,8] v",
            "y = Attention<q_num_heads = 2, kv_num_heads = 2>(q, k, v)",
            None,
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Attention.decode(Reader(node))
        shapes = [tuple(d if isinstance(d, int) else -1 for d in x.shape or ()) for x in (op.q, op.k, op.v)]
        if any(len(s) != 4 or -1 in (s[1], s[3]) for s in shapes):
            return Miss("an input is not a 4-D tensor with known heads")
        if (op.causal or shapes[0][1] != shapes[1][1]) and any(-1 in s for s in shapes):
            return Miss("a causal mask and shared heads need static shapes")
        if any(is_wanted(out) for out in node.outputs[1:]) or op.past_key is not None:
            return Miss("the key and value caches are used")
        q_shape, k_shape, v_shape = shapes
        heads = q_shape[1] // k_shape[1]
        k, v = repeat_heads(op.k, k_shape, heads, g), repeat_heads(op.v, v_shape, heads, g)
        scale = op.scale if op.scale is not None else 1 / math.sqrt(q_shape[3])
        scores = g.op("MatMul", g.op("Mul", op.q, g.like(scale, op.q)), g.op("Transpose", k, perm=[0, 1, 3, 2]))
        if op.softcap:
            cap = g.like(op.softcap, op.q)
            scores = g.op("Mul", g.op("Tanh", g.op("Div", scores, cap)), cap)
        allowed = _allowed(op, q_shape[2], k_shape[2], g)
        if allowed is not None:
            hidden = g.op("Where", allowed, g.like(0, scores), g.like(-np.inf, scores))
            scores = g.op("Add", scores, hidden)
        elif op.causal:
            scores = g.op("Add", scores, _causal(q_shape[2], k_shape[2], op.q, g))
        if op.mask is not None and allowed is None:
            scores = g.op("Add", scores, op.mask)
        first = g.op("MatMul", g.op("Softmax", scores, axis=-1), v)
        if allowed is None and op.mask is not None:
            allowed = shown(op.mask, g)
        if allowed is not None:
            first = fill_empty_rows(first, allowed, 0, g)
        return [first, *(first for _ in node.outputs[1:])]


def repeat_heads(x: Value, shape: tuple[int, ...], times: int, g: GraphBuilder) -> Value:
    """Grouped queries: each key and value head serves `times` query heads."""
    if times == 1:
        return x
    b, h, t, e = shape
    wide = g.op("Expand", g.op("Reshape", x, g.ints(b, h, 1, t, e)), g.ints(b, h, times, t, e))
    return g.op("Reshape", wide, g.ints(b, h * times, t, e))


def _causal(queries: int, keys: int, like: Value, g: GraphBuilder) -> Value:
    """0 where a key is not later than its query, minus infinity elsewhere."""
    late = np.triu(np.ones((queries, keys), dtype=bool), k=1)
    return g.const(np.where(late, -np.inf, 0.0), dtype=like.dtype)


def _allowed(op: Attention, queries: int, keys: int, g: GraphBuilder) -> Value | None:
    """Which keys each query may attend to, if the mask is boolean, else None."""
    if op.mask is None or op.mask.dtype != ir.DataType.BOOL:
        return None
    if not op.causal:
        return op.mask
    return g.op("And", op.mask, g.const(np.tril(np.ones((queries, keys), dtype=bool))))


_ANCESTORS = 64
"""How many nodes before a mask are searched for an infinity; masks are computed by few nodes."""


def may_be_minus_infinity(mask: Value) -> bool:
    """Whether an additive mask may exclude a key: it is computed from an infinity, or comes from outside the model.

    Most models mask with the smallest finite number instead, whose softmax is never 0/0 and needs no special case.
    """
    pending, seen = [mask], 0
    while pending and seen < _ANCESTORS:
        value = pending.pop()
        seen += 1
        known = constant(value)
        if known is not None:
            if known.dtype.kind == "f" and bool(np.isneginf(known.astype(np.float64)).any()):
                return True
            continue
        producer = value.producer()
        if producer is None:
            if value.dtype is not None and value.dtype.is_floating_point():
                return True
            continue
        pending += [v for v in producer.inputs if v is not None]
    return bool(pending)


def shown(mask: Value, g: GraphBuilder) -> Value | None:
    """Which keys each query may attend to, by a boolean or additive mask; None if an additive one excludes none."""
    if mask.dtype == ir.DataType.BOOL:
        return mask
    if not may_be_minus_infinity(mask):
        return None
    return g.op("Greater", mask, g.like(-np.inf, mask))


def fill_empty_rows(y: Value, allowed: Value, number: float, g: GraphBuilder) -> Value:
    """The result of attention, with `number` for queries that may not attend to any key."""
    known = constant(allowed)
    if known is not None and known.any(axis=-1).all():
        return y
    count = g.op("ReduceMax", g.op("Cast", allowed, to=int(ir.DataType.INT32)), g.ints(-1), keepdims=1)
    return g.op("Where", g.op("Cast", count, to=int(ir.DataType.BOOL)), y, g.like(number, y))
