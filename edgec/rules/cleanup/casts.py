"""Removes redundant casts and selections."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant
from edgec.ops.base import Reader
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import producer, same_type


class MergeCasts(Rule):
    """Cast(Cast(x)) -> Cast(x), if the intermediate type represents every value of x's type."""

    name = "merge-casts"
    roots = ("Cast",)
    examples = (
        Example("int32[2] x", "h = Cast<to = 7>(x)  y = Cast<to = 1>(h)", "y = Cast<to = 1>(x)"),
        Example("float[2] x", "h = Cast<to = 7>(x)  y = Cast<to = 1>(h)", None),
        Example("int32[2] x", "h = Cast<to = 9>(x)  y = Cast<to = 1>(h)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        inner = producer(node.inputs[0], "Cast")
        x = None if inner is None else inner.inputs[0]
        if inner is None or x is None or x.dtype is None or inner.outputs[0].dtype is None:
            return NOT_HERE
        if not _holds(inner.outputs[0].dtype, x.dtype):
            return Miss("the type between loses values")
        return [g.op("Cast", x, to=Reader(node).integer("to"))]


_PLAIN = frozenset(
    ir.DataType[name] for name in "BOOL INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64 FLOAT16 FLOAT DOUBLE".split()
)


def _holds(wide: ir.DataType, narrow: ir.DataType) -> bool:
    """Whether a type represents every value of another."""
    if wide == narrow:
        return True
    return wide in _PLAIN and narrow in _PLAIN and bool(np.can_cast(narrow.numpy(), wide.numpy(), casting="safe"))


class TakeConstantSide(Rule):
    """Where(condition, a, b) -> a or b, if the condition is constant and the same everywhere."""

    name = "take-constant-side"
    roots = ("Where",)
    examples = (
        Example(
            "float[2] x, float[2] z",
            "h = Where(c, x, z)  y = Relu(h)",
            "y = Relu(z)",
            constants="bool c = {0}",
        ),
        Example("float[2] x, float[2] z", "y = Where(c, x, z)", None, constants="bool[2] c = {0, 1}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        known = constant(node.inputs[0])
        if known is None or known.size == 0 or (known.any() and not known.all()):
            return NOT_HERE
        side = node.inputs[1] if known.all() else node.inputs[2]
        if side is None or not same_type(side, node.outputs[0]):
            return Miss("the side is broadcast")
        return [side]
