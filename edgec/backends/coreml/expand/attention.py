"""Attention that MIL's fused operation (iOS 18) does not compute."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.ops.linear import Attention
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.attention import repeat_heads


class GroupedAttentionRepeated(Rule):
    """Attention whose heads share keys and values (grouped queries) -> the same on repeated keys and values."""

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
