"""Attention that MIL's fused operation (iOS 18) does not compute."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.linear import Attention
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.attention import AttentionToMatMul, repeat_heads
from edgec.rules.match import is_wanted


class UnsupportedAttentionToMatMul(AttentionToMatMul):
    """Attention without a fused MIL form (caches, softcap, grouped heads) -> matrix products."""

    name = "unsupported-attention-to-matmul"
    examples = (
        Example(
            "float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v",
            "y = Attention<softcap = 2.0>(q, k, v)",
            "t = Mul(q, c)  z = Transpose<perm = [0, 1, 3, 2]>(k)  o = MatMul(t, z)  l = Div(o, d)  "
            "m = Tanh(l)  n = Mul(m, d)  aa = Softmax<axis = -1>(n)  y = MatMul(aa, v)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        return NOT_HERE if is_fused(Attention.decode(Reader(node))) else super().apply(node, g)


class GroupedAttentionRepeated(Rule):
    """Attention whose keys and values serve several heads -> the same on keys and values repeated for each head."""

    name = "grouped-attention-repeated"
    roots = ("Attention",)
    examples = (
        Example(
            "float[1,4,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v",
            "y = Attention(q, k, v)",
            "a = Reshape(k, s)  b = Expand(a, t)  c = Reshape(b, u)  d = Reshape(v, s)  e = Expand(d, t)  "
            "f = Reshape(e, u)  y = Attention(q, c, f)",
        ),
        Example("float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v", "y = Attention(q, k, v)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Attention.decode(Reader(node))
        q, k, v = (static_shape(x) for x in (op.q, op.k, op.v))
        if q is None or k is None or v is None or len(q) != 4 or op.past_key is not None or q[1] == k[1]:
            return NOT_HERE
        repeated = [repeat_heads(x, shape, q[1] // k[1], g) for x, shape in ((op.k, k), (op.v, v))]
        inputs = [op.q, *repeated, *list(node.inputs)[3:]]
        return g.multi("Attention", len(node.outputs), *inputs, **{n: a.value for n, a in node.attributes.items()})


def is_fused(op: Attention) -> bool:
    """Whether `scaled_dot_product_attention` computes exactly this: 4-D, equal heads, one mask, one output."""
    shapes = [static_shape(v) for v in (op.q, op.k, op.v)]
    if any(s is None or len(s) != 4 for s in shapes) or any(is_wanted(out) for out in op.node.outputs[1:]):
        return False
    q, k, v = (s or () for s in shapes)
    if op.past_key is not None or op.softcap or not q[:2] == k[:2] == v[:2]:
        return False
    return op.mask is None or (not op.causal and _mask_fits(op, k[2]))


def _mask_fits(op: Attention, keys: int) -> bool:
    """A bool mask that may leave a query without any key gives 0 in ONNX and NaN in MIL."""
    assert op.mask is not None
    shape = static_shape(op.mask)
    if shape is None or len(shape) < 2 or shape[-1] != keys:
        return False
    if op.mask.dtype != ir.DataType.BOOL:
        return True
    array = constant(op.mask)
    return array is not None and bool(array.any(axis=-1).all())
