"""Casts of infinity and NaN to integers, whose result depends on the processor."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

_LOWEST = -(2**31)
"""PyTorch on desktop processors gives the lowest integer for all of them; this is int32's."""

_CARRIES = frozenset("Abs Add Ceil Div Floor Mul Neg Round Sub".split())
"""Operators that propagate an infinity."""

_FAR = 16
"""The most nodes before a cast that are examined."""


class CastOfNumbers(Rule):
    """Cast of a logarithm or its multiple to integers -> the lowest integer if infinite or NaN, otherwise the same.

    Bucketed distances take the logarithm of 0 and select another value there: with 64 bits the result of the cast
    plus an offset fits, with 32 bits it would wrap around.
    """

    name = "cast-of-numbers"
    roots = ("Cast",)
    examples = (
        Example(
            "float[3] x",
            "s = Abs(x)  l = Log(s)  y = Cast<to = 7>(l)",
            "s = Abs(x)  l = Log(s)  a = Abs(l)  f = Less(a, i)  z = Where(f, l, o)  c = Cast<to = 7>(z)  "
            "y = Where(f, c, m)",
            output="int64",
        ),
        Example("float[3] x", "l = Exp(x)  y = Cast<to = 7>(l)", None, output="int64"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = Reader(node).input(0)
        to = node.outputs[0].dtype
        if to not in (ir.DataType.INT64, ir.DataType.INT32) or x.dtype is None or not x.dtype.is_floating_point():
            return NOT_HERE
        if not _of_logarithm(x):
            return NOT_HERE
        is_number = g.op("Less", g.op("Abs", x), g.like(np.inf, x))
        whole = g.op("Cast", g.op("Where", is_number, x, g.like(0, x)), to=int(to))
        return [g.op("Where", is_number, whole, g.like(_LOWEST, whole))]


def _of_logarithm(x: Value) -> bool:
    """Whether the value comes from a logarithm."""
    pending, seen = [x], 0
    while pending and seen < _FAR:
        maker = pending.pop().producer()
        seen += 1
        if maker is not None and maker.op_type == "Log":
            return True
        if maker is not None and maker.op_type in _CARRIES:
            pending += [v for v in maker.inputs if v is not None]
    return False
