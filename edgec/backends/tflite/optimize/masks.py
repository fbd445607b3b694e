"""Less work for masked attention: redundant selects, and negated conditions."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.norm import Softmax
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import producer


class WhereOfNot(Rule):
    """Where(Not(c), a, b) -> Where(c, b, a)."""

    name = "where-of-not"
    roots = ("Where",)
    examples = (
        Example("bool[2,3] c, float[2,3] a, float[3] b", "n = Not(c)  y = Where(n, a, b)", "y = Where(c, b, a)"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        negated = producer(node.inputs[0], "Not")
        if negated is None:
            return NOT_HERE
        return [g.op("Where", negated.inputs[0], node.inputs[2], node.inputs[1])]


class SoftmaxWithoutNaN(Rule):
    """Where(IsNaN(p), 0, p) of p = Softmax(s + mask), if the constant mask hides no row completely -> p.

    PyTorch guards against completely hidden rows. (For infinite or NaN scores the result is Softmax's.)
    """

    name = "softmax-without-nan"
    roots = ("Where",)
    examples = (
        Example(
            "float[2,2] s",
            "a = Add(s, m)  p = Softmax<axis = -1>(a)  e = Equal(p, p)  y = Where(e, p, z)",
            "a = Add(s, m)  y = Softmax<axis = -1>(a)",
            constants="float[2,2] m = {0, -1e30, 0, 0}, float z = {0}",
        ),
        Example(
            "float[2,2] s, float[2,2] m",
            "a = Add(s, m)  p = Softmax<axis = -1>(a)  e = Equal(p, p)  y = Where(e, p, z)",
            None,
            constants="float z = {0}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        equal, p = producer(node.inputs[0], "Equal"), node.inputs[1]
        if equal is None or p is None or equal.inputs[0] is not p or equal.inputs[1] is not p:
            return NOT_HERE
        made = producer(p, "Softmax")
        if made is None:
            return NOT_HERE
        op = Softmax.decode(Reader(made))
        if op.axis != len(static_shape(p) or ()) - 1 or not _is_never_hidden(op.x):
            return Miss("a row may be completely hidden")
        return [p]


def _is_never_hidden(scores: Value) -> bool:
    """Whether every row of the scores has an element that no constant mask makes minus infinity."""
    added = producer(scores, "Add")
    if added is None:
        return producer(scores, "MatMul") is not None
    for this, other in ((0, 1), (1, 0)):
        mask, rest = added.inputs[this], added.inputs[other]
        known = None if mask is None else constant(mask)
        if known is not None and known.ndim and rest is not None and producer(rest, "Add") is None:
            wide = known.astype(np.float64)
            return bool((wide < np.inf).all() and (wide > -np.inf).any(axis=-1).all())
    return False
