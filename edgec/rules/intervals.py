"""Ranges of integer values, by interval arithmetic over the operators that compute them.

Moore, Kearfott and Cloud, "Introduction to Interval Analysis" (2009), chapter 2. Only proven bounds count: an unknown
operator has the whole range of its type, and so has a result that may exceed the type and wrap around.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader

_DEEPEST = 64
"""How many operators before a value are followed."""


@dataclass(frozen=True)
class Interval:
    """Bounds of all elements, both inclusive."""

    low: int
    high: int

    def within(self, dtype: ir.DataType) -> bool:
        """Whether the type represents every value."""
        limits = np.iinfo(dtype.numpy())
        return limits.min <= self.low and self.high <= limits.max

    def joined(self, other: Interval) -> Interval:
        """The smallest interval that contains both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))


def interval_of(value: ir.Value, given: Mapping[str, Interval] | None = None) -> Interval | None:
    """The proven range of an integer or bool value; None for other types.

    `given`: known ranges of the graph's inputs, by name.
    """
    return _Intervals(given or {}).of(value, 0)


def whole_range(dtype: ir.DataType | None) -> Interval | None:
    """The range of a type; None for types other than integers and bool."""
    if dtype == ir.DataType.BOOL:
        return Interval(0, 1)
    if dtype is None or not dtype.is_integer() or dtype.numpy().kind not in "iu":
        return None
    limits = np.iinfo(dtype.numpy())
    return Interval(int(limits.min), int(limits.max))


class _Intervals:
    """One query, with a cache of the intervals found on the way."""

    def __init__(self, given: Mapping[str, Interval]) -> None:
        self._given = given
        self._known: dict[ir.Value, Interval | None] = {}

    def of(self, value: ir.Value, depth: int) -> Interval | None:
        if value not in self._known:
            self._known[value] = self._find(value, depth)
        return self._known[value]

    def _find(self, value: ir.Value, depth: int) -> Interval | None:
        whole = whole_range(value.dtype)
        if whole is None:
            return None
        array = constant(value)
        if array is not None:
            return Interval(int(array.min()), int(array.max())) if array.size else Interval(0, 0)
        if value.is_graph_input() and (known := self._given.get(value.name or "")) is not None:
            return known
        node = value.producer()
        transfer = None if node is None or node.domain != "" else _TRANSFER.get(node.op_type)
        if node is None or transfer is None or depth >= _DEEPEST:
            return whole
        found = transfer(_Step(node, lambda v: self.of(v, depth + 1)))
        return found if found is not None and whole.low <= found.low and found.high <= whole.high else whole


@dataclass(frozen=True)
class _Step:
    """An operator, and the intervals of its inputs."""

    node: ir.Node
    of: Callable[[ir.Value], Interval | None]

    def input(self, index: int) -> Interval | None:
        """The interval of an input."""
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        return None if value is None else self.of(value)

    def shape(self, index: int = 0) -> tuple[int, ...] | None:
        """The static shape of an input."""
        value = self.node.inputs[index]
        return None if value is None else static_shape(value)


Transfer = Callable[[_Step], Interval | None]


def _corners(operation: Callable[[int, int], int]) -> Transfer:
    """For operations that are monotone in each operand, whose extremes are therefore at the corners."""

    def transfer(step: _Step) -> Interval | None:
        a, b = step.input(0), step.input(1)
        if a is None or b is None:
            return None
        found = [operation(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
        return Interval(min(found), max(found))

    return transfer


def _truncated(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _quotient(step: _Step) -> Interval | None:
    """The quotient, unless the divisor may be zero."""
    divisor = step.input(1)
    if divisor is None or divisor.low <= 0 <= divisor.high:
        return None
    return _corners(_truncated)(step)


def _remainder(step: _Step) -> Interval | None:
    a, b = step.input(0), step.input(1)
    if a is None or b is None:
        return None
    most = max(abs(b.low), abs(b.high)) - 1
    if Reader(step.node).integer("fmod", 0):
        return Interval(-most if a.low < 0 else 0, most if a.high > 0 else 0)
    return Interval(-most if b.low < 0 else 0, most if b.high > 0 else 0)


def _first(step: _Step) -> Interval | None:
    """For operators that only move elements."""
    return step.input(0)


def _joined(*indices: int) -> Transfer:
    """For operators that select elements of several inputs."""

    def transfer(step: _Step) -> Interval | None:
        found = [step.input(i) for i in (indices or range(len(step.node.inputs)))]
        if not found or any(f is None for f in found):
            return None
        lows, highs = [f.low for f in found if f], [f.high for f in found if f]
        return Interval(min(lows), max(highs))

    return transfer


def _padded(step: _Step) -> Interval | None:
    data = step.input(0)
    fill = step.input(2) or Interval(0, 0)
    return None if data is None else data.joined(fill)


def _position(step: _Step) -> Interval | None:
    """A position along an axis, for ArgMax and ArgMin."""
    shape = step.shape()
    return None if not shape else Interval(0, max(*shape, 1) - 1)


def _with_zero(step: _Step) -> Interval | None:
    data = step.input(0)
    return None if data is None else data.joined(Interval(0, 0))


def _cast(step: _Step) -> Interval | None:
    """A cast between integers keeps the value, if the type represents it; a float may become any integer."""
    return step.input(0)


def _sum(step: _Step) -> Interval | None:
    """A sum, running or not, has at most as many terms as there are elements."""
    data, shape = step.input(0), step.shape()
    if data is None or shape is None:
        return None
    terms = int(np.prod(shape, dtype=np.int64))
    return Interval(min(data.low * terms, data.low, 0), max(data.high * terms, data.high, 0))


def _absolute(step: _Step) -> Interval | None:
    x = step.input(0)
    if x is None:
        return None
    least = 0 if x.low <= 0 <= x.high else min(abs(x.low), abs(x.high))
    return Interval(least, max(abs(x.low), abs(x.high)))


def _negative(step: _Step) -> Interval | None:
    x = step.input(0)
    return None if x is None else Interval(-x.high, -x.low)


def _of_range(step: _Step) -> Interval | None:
    """Range(start, limit, step)."""
    start, limit = step.input(0), step.input(1)
    return None if start is None or limit is None else start.joined(limit)


def _size(step: _Step) -> Interval | None:
    """Sizes fit into 31 bits in every runtime."""
    return Interval(0, 2**31 - 1)


def _sign(step: _Step) -> Interval | None:
    return Interval(-1, 1)


_TRANSFER: dict[str, Transfer] = {
    "Add": _corners(lambda a, b: a + b),
    "Sub": _corners(lambda a, b: a - b),
    "Mul": _corners(lambda a, b: a * b),
    "Min": _corners(min),
    "Max": _corners(max),
    "Div": _quotient,
    "Mod": _remainder,
    "Abs": _absolute,
    "Neg": _negative,
    "Sign": _sign,
    "Cast": _cast,
    "Range": _of_range,
    "ReduceSum": _sum,
    "CumSum": _sum,
    "Pad": _padded,
    "Where": _joined(1, 2),
    "Concat": _joined(),
    "OneHot": _joined(2),
    "Shape": _size,
    "Size": _size,
    "Trilu": _with_zero,
    **dict.fromkeys(("ArgMax", "ArgMin"), _position),
    **dict.fromkeys(
        "Expand Flatten Gather GatherElements GatherND Identity ReduceMax ReduceMin Reshape ReverseSequence Slice "
        "Split Squeeze Tile Transpose Unsqueeze".split(),
        _first,
    ),
}
