"""Attention between projections as ONNX's attention on tokens, whose heads are in the channels."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array
from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Ints, Reader, Value
from edgec.ops.gather import Gather
from edgec.ops.linear import Attention
from edgec.ops.shape import Reshape, Slice, Split, Squeeze, Transpose, Unsqueeze
from edgec.ops.table import view
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import is_wanted

_FARTHEST = 8
"""The most data movements between a projection and the attention; five occur."""


class AttentionOnTokens(Rule):
    """Attention on (B, H, S, D) -> Attention on (B, S, H*D), directly on the projections' results."""

    name = "attention-on-tokens"
    roots = ("Attention",)
    examples = (
        Example(
            "float[1,3,8] a, float[1,2,3,4] k, float[1,2,3,4] v",
            "r = Reshape(a, s)  q = Transpose<perm = [0, 2, 1, 3]>(r)  y = Attention(q, k, v)",
            "g = Transpose<perm = [0, 2, 1, 3]>(k)  h = Reshape(g, t)  i = Transpose<perm = [0, 2, 1, 3]>(v)  "
            "j = Reshape(i, t)  m = Attention<q_num_heads = 2, kv_num_heads = 2>(a, h, j)  n = Reshape(m, s)  "
            "y = Transpose<perm = [0, 2, 1, 3]>(n)",
            constants="int64[4] s = {1, 3, 2, 4}",
        ),
        Example("float[1,4,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v", "y = Attention(q, k, v)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Attention.decode(Reader(node))
        shapes = [static_shape(v) for v in (op.q, op.k, op.v)]
        if any(s is None or len(s) != 4 for s in shapes):
            return NOT_HERE
        q, k, _ = (s or () for s in shapes)
        if not attends_plainly(op) or q[1] != k[1]:
            return Miss("caches, softcap, grouped heads, or a computed mask per head")
        operands = [_tokens(v, g) for v in (op.q, op.k, op.v)]
        kept = {name: a.value for name, a in node.attributes.items() if name in ("scale", "is_causal")}
        mask = () if op.mask is None else (_for_each_query(op.mask, q[2], g),)
        y = g.op("Attention", *operands, *mask, q_num_heads=q[1], kv_num_heads=q[1], **kept)
        b, h, s, d = static_shape(op.y) or ()
        y = g.op("Transpose", g.op("Reshape", y, g.ints(b, s, h, d)), perm=[0, 2, 1, 3])
        return [y, *(y for _ in node.outputs[1:])]


class AttentionOnHeads(Rule):
    """Attention on (B, S, H*D) -> Attention on (B, H, S, D)."""

    name = "attention-on-heads"
    roots = ("Attention",)
    examples = (
        Example(
            "float[1,3,8] q, float[1,5,8] k, float[1,5,8] v",
            "y = Attention<q_num_heads = 2, kv_num_heads = 2>(q, k, v)",
            "a = Reshape(q, s)  b = Transpose<perm = [0, 2, 1, 3]>(a)  c = Reshape(k, t)  "
            "d = Transpose<perm = [0, 2, 1, 3]>(c)  e = Reshape(v, t)  f = Transpose<perm = [0, 2, 1, 3]>(e)  "
            "g = Attention(b, d, f)  h = Transpose<perm = [0, 2, 1, 3]>(g)  y = Reshape(h, u)",
        ),
        Example("float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v", "y = Attention(q, k, v)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Attention.decode(Reader(node))
        operands = ((op.q, op.q_heads), (op.k, op.kv_heads), (op.v, op.kv_heads))
        if any(len(static_shape(v) or ()) != 3 or not heads for v, heads in operands):
            return NOT_HERE
        if op.past_key is not None or any(is_wanted(out) for out in node.outputs[1:]):
            return Miss("the key and value caches are used")
        kept = {name: a.value for name, a in node.attributes.items() if not name.endswith("_num_heads")}
        y = g.op("Attention", *(_heads(v, heads, g) for v, heads in operands), *list(node.inputs)[3:4], **kept)
        b, s, _ = static_shape(op.q) or ()
        y = g.op("Reshape", g.op("Transpose", y, perm=[0, 2, 1, 3]), g.ints(b, s, -1))
        return [y, *(y for _ in node.outputs[1:])]


def _heads(value: Value, heads: int, g: GraphBuilder) -> Value:
    """(B, S, H*D) as (B, H, S, D)."""
    b, s, width = static_shape(value) or ()
    return g.op("Transpose", g.op("Reshape", value, g.ints(b, s, heads, width // heads)), perm=[0, 2, 1, 3])


def attends_plainly(op: Attention) -> bool:
    """No caches, no softcap, one output, and a mask that is constant, or computed and equal for all heads.

    Each query must see a key, or its result otherwise must be known, which it is not for a computed float mask
    combined with a causal one.
    """
    if op.past_key is not None or op.softcap or any(is_wanted(out) for out in op.node.outputs[1:]):
        return False
    if op.mask is None:
        return True
    shape, known, keys = static_shape(op.mask), constant(op.mask), static_shape(op.k) or (0, 0)
    if not shape or 0 in shape or shape[-1] != keys[-2]:
        return False
    if known is not None:
        return _sees_a_key(op, known)
    return (len(shape) < 3 or shape[-3] == 1) and (op.mask.dtype == ir.DataType.BOOL or not op.causal)


def _for_each_query(mask: Value, queries: int, g: GraphBuilder) -> Value:
    """The mask with one row per query, which ONNX Runtime requires on tokens."""
    shape = static_shape(mask) or ()
    if len(shape) < 2 or shape[-2] == queries:
        return mask
    return g.op("Expand", mask, g.ints(*shape[:-2], queries, shape[-1]))


def causal(queries: int, keys: int) -> Array:
    """Whether each query may see each key: (queries, keys)."""
    return np.tril(np.ones((queries, keys), dtype=bool))


_HIDES = -1e3
"""A mask at or below this hides a key if the query sees another: scores differ by less."""


def _sees_a_key(op: Attention, mask: Array) -> bool:
    """Whether each query sees a key with this constant mask."""
    seen = mask if mask.dtype == bool else mask.astype(np.float64) > _HIDES
    if op.causal:
        rows = [(static_shape(v) or (0, 0))[-2] for v in (op.q, op.k)]
        seen = np.logical_and(seen, causal(*rows))
    return bool(seen.any(axis=-1).all())


def _tokens(value: Value, g: GraphBuilder) -> Value:
    """(B, H, S, D) as (B, S, H*D): columns of the matrix that it comes from, or transposed."""
    b, h, s, d = static_shape(value) or ()
    found = _columns(value)
    if found is None:
        return g.op("Reshape", g.op("Transpose", value, perm=[0, 2, 1, 3]), g.ints(b, s, h * d))
    source, first = found
    shape = static_shape(source) or ()
    if shape[-1] != h * d:
        axis = g.ints(len(shape) - 1)
        source = g.op("Slice", source, g.ints(first), g.ints(first + h * d), axis)
    return source if static_shape(source) == (b, s, h * d) else g.op("Reshape", source, g.ints(b, s, h * d))


def _columns(value: Value) -> tuple[Value, int] | None:
    """The matrix with the value's elements in adjacent columns, head by head, a row per token: (matrix, first column).

    The movements in between are simulated on element indices, so that any way to separate the heads is recognized:
    views, gathers, splits or slices.
    """
    b, h, s, d = static_shape(value) or ()
    chain: list[tuple[ir.Node, int]] = []
    found, current = None, value
    while (node := current.producer()) is not None and len(chain) < _FARTHEST and _moves(node):
        chain.append((node, list(node.outputs).index(current)))
        source = node.inputs[0]
        assert source is not None
        current = source
        shape = static_shape(source) or ()
        width = shape[-1] if shape else 0
        if width < h * d or int(np.prod(shape)) != b * s * width:
            continue
        places = _element_indices(chain, shape).reshape(b, h, s, d)
        rows = np.arange(b * s).reshape(b, 1, s, 1) * width
        columns = np.arange(h * d).reshape(1, h, 1, d) + int(places.flat[0])
        if np.array_equal(places, rows + columns) and int(places.flat[0]) + h * d <= width:
            found = (source, int(places.flat[0]))
    return found


def _moves(node: ir.Node) -> bool:
    """Whether the node only moves elements of a static shape, with constant parameters."""
    if node.domain or node.inputs[0] is None or static_shape(node.inputs[0]) is None:
        return False
    match op := view(node):
        case Gather():
            return constant(op.indices) is not None
        case Slice():
            return op.is_constant
        case Split():
            return op.sizes is not None
        case Reshape() | Transpose() | Squeeze() | Unsqueeze():
            return static_shape(op.y) is not None
        case _:
            return False


def _element_indices(chain: list[tuple[ir.Node, int]], shape: Ints) -> Array:
    """The flat index in the chain's input of each element of its output; the chain's last node comes first."""
    places: Array = np.arange(int(np.prod(shape))).reshape(shape)
    for node, index in reversed(chain):
        match op := view(node):
            case Transpose():
                places = places.transpose(op.perm)
            case Gather():
                places = np.take(places, np.asarray(constant(op.indices)), axis=op.axis)
            case Slice(starts=starts, ends=ends, axes=axes, steps=steps):
                parts = [slice(None)] * places.ndim
                for axis, start, end, step in zip(axes or (), starts or (), ends or (), steps or (), strict=True):
                    parts[axis] = slice(*slice(start, end, step).indices(places.shape[axis]))
                places = places[tuple(parts)]
            case Split(sizes=sizes):
                places = np.split(places, np.cumsum(sizes or ())[:-1], axis=op.axis)[index]
            case _:
                places = places.reshape(static_shape(node.outputs[index]) or ())
    return places
