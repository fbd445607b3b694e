"""Attention on channels-first tokens: per head, with keys as the channels of the scores, and finite masks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array
from edgec.backends.coreml.channels.maker import Maker, form, shape_of
from edgec.backends.coreml.expand.tokens import attends_plainly, causal
from edgec.backends.coreml.ops import MIL
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.linear import Attention
from edgec.rules.decompose.attention import MASKED, may_be_minus_infinity

_NEVER = -1e30
"""A mask at or below this hides a key whatever its score; a softmax over hidden keys only is the mean."""


def can_attend(node: ir.Node) -> bool:
    """Attention on (B, S, H*D) operands without caches or softcap, with as many key heads as query heads."""
    op = Attention.decode(Reader(node))
    shapes = [static_shape(v) for v in (op.q, op.k, op.v)]
    on_tokens = all(s is not None and len(s) == 3 and 0 not in s for s in shapes)
    return on_tokens and attends_plainly(op) and op.q_heads == op.kv_heads


def attention(node: ir.Node, m: Maker) -> Sequence[Value]:
    """Build, for each head: scores (1, keys, B, queries), their softmax over the keys, and the weighted values.

    It contains one transpose, that of the keys, as in Apple's reference.
    """
    op = Attention.decode(Reader(node))
    (batch, queries, width), keys, heads = shape_of(op.q), shape_of(op.k)[1], op.q_heads
    scale = op.scale if op.scale is not None else 1 / math.sqrt(width // heads)
    mask = None if op.mask is None else _Mask(op, op.mask, m)
    q = m.g.op("Mul", m.x(op.q), m.g.like(scale, op.q))
    if mask is not None and mask.keeps_mean:
        q = m.g.op("Mul", q, m.reshape(mask.sees(), (1, 1, 1, batch * queries)))
    k = m.g.op("Transpose", m.reshape(m.x(op.k), (1, width, batch, keys)), perm=[0, 3, 2, 1])
    parts = [
        _heads(m.reshape(q, (1, width, batch, queries)), heads, 1, m),
        _heads(k, heads, 3, m),
        _heads(m.reshape(m.x(op.v), (1, shape_of(op.v)[2], batch, keys)), heads, 1, m),
    ]
    late = np.where(causal(queries, keys), 0.0, MASKED) if op.causal else None
    mixed = []
    for head, (q_head, k_head, v_head) in enumerate(zip(*parts, strict=True)):
        scores = _product(k_head, q_head, m)
        hidden = None if mask is None else mask.of(head, late)
        if mask is None and late is not None:
            hidden = m.g.const(late.T[None, :, None, :], dtype=op.q.dtype)
        if hidden is not None:
            scores = m.g.op("Add", scores, hidden)
        mixed.append(_product(v_head, m.g.op("Softmax", scores, axis=1), m))
    y = mixed[0] if heads == 1 else m.g.op("Concat", *mixed, axis=1)
    if mask is not None and mask.gives_zero:
        y = m.g.op("Mul", y, mask.sees())
    return [m.reshape(y, form(shape_of(op.y)))]


def _heads(value: Value, heads: int, axis: int, m: Maker) -> Sequence[Value]:
    """The value split along its channels."""
    if heads == 1:
        return [value]
    sizes = [shape_of(value)[axis] // heads] * heads
    return m.g.multi("Split", heads, value, m.g.ints(*sizes), axis=axis)


def _product(x: Value, y: Value, m: Maker) -> Value:
    """(1, M, B, K) by (1, K, B, N) -> (1, M, B, N): MIL's einsum."""
    z = m.g.op("Einsum", x, y, domain=MIL)
    (_, rows, batch, _), columns = shape_of(x), shape_of(y)[3]
    z.shape, z.type = ir.Shape((1, rows, batch, columns)), x.type
    return z


class _Mask:
    """An attention's mask as finite numbers of shape (1, keys, B or 1, queries or 1), the same for all users.

    A query that sees no key gets the result of ONNX: zeros if the mask is boolean or infinite, the mean of the values
    if it is the lowest finite number.
    """

    def __init__(self, op: Attention, mask: Value, m: Maker) -> None:
        self._op, self._mask, self._m = op, mask, m
        shape = shape_of(mask)
        self._shape = (1,) * (4 - len(shape)) + shape
        known = constant(mask)
        self._known = None if known is None else known.reshape(self._shape)
        computed = known is None
        self.gives_zero = computed and (mask.dtype == ir.DataType.BOOL or may_be_minus_infinity(mask))
        self.keeps_mean = computed and not self.gives_zero

    def of(self, head: int, late: Array | None) -> Value:
        """The term added to the scores of one head."""
        if self._known is not None:
            return self._constant(self._known, head, late)
        added = self._cached("added", self._added)
        if late is None:
            return added
        m = self._m
        both = m.g.op("Add", added, m.g.const(late.T[None, :, None, :], dtype=self._op.q.dtype))
        return m.g.op("Max", both, m.g.like(MASKED, self._op.q))

    def _constant(self, mask: Array, head: int, late: Array | None) -> Value:
        one = mask[:, head if mask.shape[1] > 1 else 0]  # (B or 1, queries or 1, keys)
        finite = np.where(one, 0.0, MASKED) if one.dtype == bool else np.maximum(one.astype(np.float64), MASKED)
        if late is not None:
            finite = np.maximum(finite + late, MASKED)
        return self._m.g.const(np.ascontiguousarray(finite.transpose(2, 0, 1)[None]), dtype=self._op.q.dtype)

    def _added(self) -> Value:
        m = self._m
        turned = self._turn(self._mask)
        if self._mask.dtype == ir.DataType.BOOL:
            return m.g.op("Where", turned, m.g.like(0, self._op.q), m.g.like(MASKED, self._op.q))
        return m.g.op("Max", turned, m.g.like(MASKED, self._op.q))

    def sees(self) -> Value:
        """1 for a query that sees a key, else 0, of shape (1, 1, B, queries)."""
        return self._cached("sees", self._sees)

    def _sees(self) -> Value:
        m, mask = self._m, self._mask
        batch, queries, _ = shape_of(self._op.q)
        seen = mask
        if mask.dtype != ir.DataType.BOOL:
            seen = m.g.op("Greater", mask, m.g.like(_NEVER, mask))
        elif self._op.causal:
            seen = m.g.op("And", mask, m.g.const(causal(queries, shape_of(self._op.k)[1])))
        ones = m.g.op("Cast", seen, to=int(ir.DataType.FLOAT))
        any_key = m.g.op("ReduceMax", ones, m.g.ints(-1), keepdims=1)
        rows = queries if self._op.causal else self._shape[2]
        flat = m.reshape(any_key, (1, 1, self._shape[0], rows))
        if (self._shape[0], rows) == (batch, queries):
            return flat
        return m.g.op("Expand", flat, m.g.ints(1, 1, batch, queries))

    def _turn(self, mask: Value) -> Value:
        """(B, 1, queries, keys) to (1, keys, B, queries), each dimension of B and queries possibly 1."""
        batch, _, queries, keys = self._shape
        flat = self._m.reshape(mask, self._shape)
        if batch == 1 and queries == 1:
            return self._m.reshape(flat, (1, keys, 1, 1))
        return self._m.g.op("Transpose", flat, perm=[1, 3, 0, 2])

    def _cached(self, what: str, make: Callable[[], Value]) -> Value:
        key = (self._mask, what, self._op.causal, shape_of(self._op.q)[:2], shape_of(self._op.k)[1])
        if key not in self._m.masks:
            self._m.masks[key] = make()
        return self._m.masks[key]
