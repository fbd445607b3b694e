"""Signs that hold for every input: an exponential of what is never above 0 does not overflow."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgec.backends.coreml.ranges import CARRIES
from edgec.ir.model import constant, is_constant
from edgec.rules.match import scalar

_MOVES = CARRIES | {"Gather", "GatherElements", "GatherND", "Slice", "Split", "Trilu"}
_NEVER_BELOW = frozenset("Abs Exp Relu Sigmoid Softmax Softplus Sqrt".split())
_DEEPEST = 8
"""How many operators before a value are followed."""


_LARGEST_EXPONENT = 11.0
"""e to this, 59874, is a float16."""


def never_overflows(exponent: ir.Value | None) -> bool:
    """Whether the exponential of every element is a float16: never above 0, or held below 11 by a constant."""
    return never_above_zero(exponent) or _most(exponent) <= _LARGEST_EXPONENT


def _most(value: ir.Value | None) -> float:
    """What the value is clipped to from above."""
    while value is not None and (node := value.producer()) is not None and node.op_type in _MOVES:
        value = node.inputs[0]
    node = None if value is None else value.producer()
    if node is None or node.domain or node.op_type not in ("Clip", "Min"):
        return math.inf
    ends = node.inputs[2:] if node.op_type == "Clip" else node.inputs
    return min((most for v in ends if (most := scalar(v)) is not None), default=math.inf)


def never_above_zero(value: ir.Value | None, depth: int = _DEEPEST) -> bool:
    """Whether no element is above 0: x - max(x), -x², a negative rate times a step."""
    return _has_sign(value, -1, depth)


def _has_sign(value: ir.Value | None, sign: int, depth: int) -> bool:
    if value is None or depth == 0:
        return False
    if is_constant(value):
        array = constant(value)
        return (
            array is not None
            and array.dtype.kind == "f"
            and bool((np.sign(array.astype(np.float64)) * sign >= 0).all())
        )
    node = value.producer()
    if node is None or node.domain:
        return False
    first, below = node.inputs[0] if node.inputs else None, depth - 1
    if node.op_type in _MOVES or node.op_type in ("CumSum", "ReduceMean", "ReduceSum"):
        return _has_sign(first, sign, below)
    if node.op_type == "Neg":
        return _has_sign(first, -sign, below)
    if node.op_type in ("Mul", "Div"):
        return _product_has_sign(node, sign, below)
    if node.op_type == "Add":
        return all(_has_sign(v, sign, below) for v in node.inputs)
    if node.op_type == "Where":
        return all(_has_sign(v, sign, below) or (sign > 0 and _is_where_above(node, v)) for v in node.inputs[1:])
    if sign > 0:
        return node.op_type in _NEVER_BELOW
    return node.op_type == "Sub" and _is_largest_of(node.inputs[1], node.inputs[0])


def _product_has_sign(node: ir.Node, sign: int, depth: int) -> bool:
    a, b = node.inputs[:2]
    if sign > 0 and node.op_type == "Mul" and a is b:
        return True
    pairs = ((1, sign), (-1, -sign))
    return any(_has_sign(a, one, depth) and _has_sign(b, other, depth) for one, other in pairs)


def _is_where_above(node: ir.Node, chosen: ir.Value | None) -> bool:
    """Where(x > c, x, …) with c of at least 0: a softplus beyond its threshold."""
    compared = None if node.inputs[0] is None else node.inputs[0].producer()
    if compared is None or compared.op_type != "Greater" or chosen is not node.inputs[1]:
        return False
    threshold = scalar(compared.inputs[1])
    return compared.inputs[0] is chosen and threshold is not None and threshold >= 0


def _is_largest_of(value: ir.Value | None, of: ir.Value | None) -> bool:
    """max(of, …), or its maximum along axes, moved or not."""
    while value is not None and (node := value.producer()) is not None and node.op_type in CARRIES:
        value = node.inputs[0]
    node = None if value is None else value.producer()
    return node is not None and node.op_type in ("Max", "ReduceMax") and any(v is of for v in node.inputs)
