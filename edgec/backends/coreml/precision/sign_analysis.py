"""Sign analysis valid for every input: the exponential of a value that is never above 0 does not overflow."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgec.backends.coreml.precision.value_ranges import CARRIES
from edgec.ir.model import constant, is_constant
from edgec.ops.base import Reader
from edgec.ops.gather import Gather
from edgec.ops.reduce import CumSum
from edgec.ops.shape import Slice
from edgec.ops.table import view
from edgec.rules.match import producer, scalar

_MOVES = CARRIES | {"Gather", "GatherElements", "GatherND", "Slice", "Split", "Trilu"}
_NEVER_BELOW = frozenset("Abs Exp Relu Sigmoid Softmax Softplus Sqrt".split())
_DEEPEST = 10
"""The most operators that are followed, not counting data movement."""


_LARGEST_EXPONENT = 11.0
"""e to this, 59874, fits float16."""


def never_overflows(exponent: ir.Value | None) -> bool:
    """Whether the exponential of every element fits float16: never above 0, or clipped to at most 11 by a constant."""
    return never_above_zero(exponent) or _upper_bound(exponent) <= _LARGEST_EXPONENT


def _upper_bound(value: ir.Value | None) -> float:
    """The constant upper bound to which the value is clipped, or infinity."""
    value = _before_movement(value)
    node = None if value is None else value.producer()
    if node is None or node.domain or node.op_type not in ("Clip", "Min"):
        return math.inf
    ends = node.inputs[2:] if node.op_type == "Clip" else node.inputs
    return min((most for v in ends if (most := scalar(v)) is not None), default=math.inf)


def never_above_zero(value: ir.Value | None, depth: int = _DEEPEST) -> bool:
    """Whether no element is above 0: x - max(x), -x², a negative rate times a step."""
    return _has_sign(value, -1, depth)


def _before_movement(value: ir.Value | None) -> ir.Value | None:
    """The value from which data movement takes the elements."""
    while value is not None and (node := value.producer()) is not None and node.op_type in _MOVES:
        value = node.inputs[0]
    return value


def _has_sign(value: ir.Value | None, sign: int, depth: int) -> bool:
    value = _before_movement(value)
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
    if node.op_type in ("CumSum", "ReduceMean", "ReduceSum"):
        return _has_sign(first, sign, below)
    if node.op_type == "Neg":
        return _has_sign(first, -sign, below)
    if node.op_type in ("Mul", "Div"):
        return _product_has_sign(node, sign, below)
    if node.op_type == "Add":
        return all(_has_sign(v, sign, below) for v in node.inputs)
    if node.op_type == "Where":
        return all(_has_sign(v, sign, below) or (sign > 0 and _is_where_above(node, v)) for v in node.inputs[1:])
    if node.op_type == "Pad":
        return _has_sign(first, sign, below) and _ends_at_zero(node.inputs[2:3], sign)
    if node.op_type in ("Clip", "Max", "Min") and _is_bounded(node, sign, below):
        return True
    if node.op_type == "Sub":
        running = _summands(first, node.inputs[1])
        return (running is not None and _has_sign(running, sign, below)) or (
            sign < 0 and _is_largest_of(node.inputs[1], first)
        )
    return sign > 0 and node.op_type in _NEVER_BELOW


def _is_bounded(node: ir.Node, sign: int, depth: int) -> bool:
    """Whether a Clip, Max or Min has the sign by its bound or by its operand."""
    if node.op_type == "Clip":
        bound = node.inputs[1:2] if sign > 0 else node.inputs[2:3]
        return (bool(bound) and _ends_at_zero(bound, sign)) or _has_sign(node.inputs[0], sign, depth)
    which = any if (node.op_type == "Max") == (sign > 0) else all
    return which(_has_sign(v, sign, depth) for v in node.inputs)


def _ends_at_zero(bound: Sequence[ir.Value | None], sign: int) -> bool:
    """Whether the constant (0 if absent) is 0 or has the sign."""
    if not bound or bound[0] is None:
        return True
    number = scalar(bound[0])
    return number is not None and number * sign >= 0


def _summands(last: ir.Value | None, sums: ir.Value | None) -> ir.Value | None:
    """The summands if `sums` are running sums and `last` is their last: last - sums is then the sum of the rest."""
    running = producer(sums, "CumSum")
    picked = None if last is None else last.producer()
    if running is None or picked is None or picked.inputs[0] is not sums:
        return None
    op = CumSum.decode(Reader(running))
    size = None if op.axis is None or op.x.shape is None else op.x.shape[op.axis]
    if op.reverse or op.exclusive or not isinstance(size, int):
        return None
    match view(picked):
        case Gather(indices=indices, axis=op.axis):
            index = scalar(indices)
            is_last = index is not None and int(index) in (-1, size - 1)
        case Slice(starts=(start,), axes=(op.axis,), steps=(1,)):
            is_last = start in (-1, size - 1)
        case _:
            is_last = False
    return op.x if is_last else None


def _product_has_sign(node: ir.Node, sign: int, depth: int) -> bool:
    a, b = node.inputs[:2]
    if sign > 0 and node.op_type == "Mul" and a is b:
        return True
    pairs = ((1, sign), (-1, -sign))
    return any(_has_sign(a, one, depth) and _has_sign(b, other, depth) for one, other in pairs)


def _is_where_above(node: ir.Node, chosen: ir.Value | None) -> bool:
    """Whether it is Where(x > c, x, …) with c at least 0: a softplus beyond its threshold."""
    compared = None if node.inputs[0] is None else node.inputs[0].producer()
    if compared is None or compared.op_type != "Greater" or chosen is not node.inputs[1]:
        return False
    threshold = scalar(compared.inputs[1])
    return compared.inputs[0] is chosen and threshold is not None and threshold >= 0


def _is_largest_of(value: ir.Value | None, of: ir.Value | None) -> bool:
    """Whether the value is max(of, …), or the maximum of `of` along axes."""
    while value is not None and (node := value.producer()) is not None and node.op_type in CARRIES:
        value = node.inputs[0]
    node = None if value is None else value.producer()
    return node is not None and node.op_type in ("Max", "ReduceMax") and any(v is of for v in node.inputs)
