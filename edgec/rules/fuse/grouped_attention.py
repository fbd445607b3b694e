"""Recognizes grouped-query attention: keys and values that were repeated for attention are used directly."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.ops.linear import Attention
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import producer

_REPEATED = "u = Reshape(k, a)  e = Expand(u, b)  r = Reshape(e, c)  w = Reshape(v, a)  f = Expand(w, b)  "


class RecognizeGroupedAttention(Rule):
    """Attention whose keys and values each serve several heads, by Expand between Reshapes -> grouped Attention."""

    name = "recognize-grouped-attention"
    roots = ("Attention",)
    examples = (
        Example(
            "float[1,4,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v",
            _REPEATED + "s = Reshape(f, c)  y = Attention(q, r, s)",
            "y = Attention(q, k, v)",
            constants="int64[5] a = {1, 2, 1, 5, 4}, int64[5] b = {1, 2, 2, 5, 4}, int64[4] c = {1, 4, 5, 4}",
        ),
        Example(
            "float[1,4,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v",
            _REPEATED.replace("(k, a)", "(k, d)") + "s = Reshape(f, c)  y = Attention(q, r, s)",
            None,
            constants="int64[5] a = {1, 2, 1, 5, 4}, int64[5] b = {1, 2, 2, 5, 4}, int64[4] c = {1, 4, 5, 4}, "
            "int64[5] d = {1, 1, 2, 5, 4}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Attention.decode(Reader(node))
        if op.past_key is not None or op.q.shape is None or len(op.q.shape) != 4:
            return NOT_HERE
        k, v = _single(op.k), _single(op.v)
        if k is None and v is None:
            return NOT_HERE
        if k is None or v is None or (static_shape(k) or ())[:3] != (static_shape(v) or ())[:3]:
            return Miss("keys and values are not repeated alike")
        inputs = [op.q, k, v, *list(node.inputs)[3:]]
        attributes = {name: a.value for name, a in node.attributes.items()}
        return g.multi("Attention", len(node.outputs), *inputs, **attributes)


def _single(value: ir.Value) -> ir.Value | None:
    """x (B, H, T, E) of its repetition (B, H * times, T, E), in which adjacent heads are equal, or None."""
    outer = producer(value, "Reshape")
    expand = None if outer is None else producer(outer.inputs[0], "Expand")
    inner = None if expand is None else expand.inputs[0]
    source = next((n for op in ("Reshape", "Unsqueeze") if (n := producer(inner, op)) is not None), None)
    x = None if source is None else source.inputs[0]
    if expand is None or inner is None or x is None:
        return None
    shape, before, after, full = (static_shape(v) for v in (x, inner, expand.outputs[0], value))
    if shape is None or before is None or after is None or full is None or len(shape) != 4 or len(after) != 5:
        return None
    b, h, t, e = shape
    times = after[2]
    fits = before == (b, h, 1, t, e) and after == (b, h, times, t, e) and full == (b, h * times, t, e)
    return x if fits else None
