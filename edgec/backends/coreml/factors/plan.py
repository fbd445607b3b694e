"""Which activations are held as a power of two of themselves, and which power."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array
from edgec.backends.coreml.factors.roles import Role, role
from edgec.backends.coreml.ranges import HEAVY, LARGEST, MARGIN, SMALLEST_NORMAL, Range, Ranges
from edgec.ir.model import Model, captured, constant, is_constant, subgraphs
from edgec.ir.states import states

_LEVEL = 9
"""The largest number that was seen becomes at most 2 to this, 128 times below float16's end: pixels of 0 to 255 are 64
times as large as the usual draws. Down to float16's least normal number there are 23 powers of two."""

_SPAN = 2.0**10
"""Values whose largest numbers are further apart share no factor: those of the smaller one would lose digits. At this
distance they are held as numbers of up to 0.5, down to which there are 13 powers of two."""

_LEAST_WEIGHT, _LARGEST_WEIGHT = 2.0**-13, 2.0**13
"""For the root mean square of weights, below which what float16 rounds off small ones is more than half a digit of it,
and for the largest."""


_LEAST_VARIANCE = 0.25
"""Of a normalization on the samples: float16's least epsilon, 6e-8, does not show even where inputs are 100 times
smaller."""


@dataclass(frozen=True)
class Plan:
    """Values are held times 2 to their exponent, 0 where none is named, by the nodes in `roles`."""

    exponents: Mapping[ir.Value, int]
    roles: Mapping[ir.Node, Role]
    ranges: Ranges

    def of(self, value: ir.Value | None) -> int:
        """The exponent of a value."""
        return 0 if value is None else self.exponents.get(value, 0)

    def result(self, node: ir.Node) -> int:
        """The exponent of a node's results, or of the operands of a comparison."""
        found = self.roles.get(node)
        if found is None or not found.is_given:
            return 0
        return self.of(_members(node, found)[0])

    def weight(self, node: ir.Node) -> int:
        """The exponent that the node's weight takes up: what weights of float16 have room for."""
        found = self.roles[node]
        assert found.data is not None
        assert found.weight is not None
        asked = self.result(node) - self.of(node.inputs[found.data])
        array = constant(node.inputs[found.weight])
        return asked if asked == 0 or array is None else _held(asked, array, divides=found.divides)

    def operand(self, node: ir.Node, index: int) -> int:
        """The exponent that the node asks of a computed operand."""
        found, value = self.roles.get(node), node.inputs[index]
        if found is None:
            return 0
        if index in found.alike:
            return self.result(node)
        if index == found.data:
            return self.result(node) - self.weight(node)
        return self._blind(node, value) if index in found.blind and self.of(value) != 0 else 0

    def _blind(self, node: ir.Node, value: ir.Value | None) -> int:
        """That of the value; for a normalization one at which variances are far above the least epsilon of float16."""
        held, least, seen = self.of(value), self.ranges.divisor(node), self.ranges.of(value)
        if least is None or seen is None or seen.high == 0:
            return held
        wanted = math.ceil(math.log2(_LEAST_VARIANCE / least) / 2) if least > 0 else 0
        asked = max(held, min(wanted, _exponent(seen.high)))
        return asked if least * 4.0**asked >= MARGIN * SMALLEST_NORMAL else 0


def plan(model: Model, ranges: Ranges, kept: Collection[ir.Node]) -> Plan:
    """A factor for each class of values that leave float16's range where that makes fewer operators compute in float32.

    Nodes in `kept` stay in float32 for other reasons, and have no factor.
    """
    found = {node: one for node in model.graph if node not in kept and (one := role(node)) is not None}
    classes = _Classes(ranges, _pinned(model, found))
    for node, one in found.items():
        if one.is_given:
            classes.join(_members(node, one), len(node.outputs))
    outputs = set(model.graph.outputs)
    exponents = {
        value: exponent
        for members in classes.all()
        if (exponent := classes.exponent(members[0])) and _pays(members, found, ranges, outputs)
        for value in members
    }
    return Plan(exponents, found, ranges)


def _members(node: ir.Node, found: Role) -> list[ir.Value]:
    """The results, and the operands of the same factor."""
    results = [v for v in node.outputs if v.dtype == ir.DataType.FLOAT]
    alike = [node.inputs[i] for i in found.alike if i < len(node.inputs)]
    return [*results, *(v for v in alike if v is not None and not is_constant(v))]


def _pinned(model: Model, roles: Mapping[ir.Node, Role]) -> set[ir.Value]:
    """Values without a factor: inputs, states, what branches and loops take, and what operators without roles give."""
    names = {name for state in states(model) for name in (state.input, state.output)}
    inner = [graph for node in model.graph for graph in subgraphs(node)]
    read = {*captured(*inner), *(v for v in model.graph.outputs if v.name in names)}
    made = (n for n in model.graph if n not in roles or not roles[n].is_given or not read.isdisjoint(n.outputs))
    return {*model.graph.inputs, *read, *(v for node in made for v in node.outputs)}


@dataclass
class _Classes:
    """Values that have one factor: those that operators tie, unless they are too far apart."""

    ranges: Ranges
    pinned: Collection[ir.Value]
    parents: dict[ir.Value, ir.Value] = field(default_factory=dict)
    spans: dict[ir.Value, Range] = field(default_factory=dict)

    def join(self, members: list[ir.Value], results: int) -> None:
        """Let them have one factor with the first, as far as they may; the `results` of a node have no choice."""
        free = [v for v in members if v not in self.pinned]
        for i, value in enumerate(free):
            a, b = self.find(free[0]), self.find(value)
            both = self.spans[a].joined(self.spans[b])
            if a is not b and (i < results or both.high <= both.low * _SPAN):
                self.parents[b] = a
                self.spans[a] = both

    def find(self, value: ir.Value) -> ir.Value:
        """The one that stands for the value's class."""
        if value not in self.parents:
            self.parents[value] = value
            self.spans[value] = self._span(value)
        while self.parents[value] is not value:
            self.parents[value] = value = self.parents[self.parents[value]]
        return value

    def _span(self, value: ir.Value) -> Range:
        seen = self.ranges.of(value)
        high = 1.0 if seen is None else seen.high
        return Range(high, high if high > 0 else math.inf)

    def all(self) -> list[list[ir.Value]]:
        """The members of each class."""
        found: dict[ir.Value, list[ir.Value]] = {}
        for value in self.parents:
            found.setdefault(self.find(value), []).append(value)
        return list(found.values())

    def exponent(self, value: ir.Value) -> int:
        """What brings the class's largest number down; 0 where float16 holds it, or float32 does not."""
        high = self.spans[self.find(value)].high
        return _exponent(high) if LARGEST < high * MARGIN < math.inf else 0


def _pays(
    members: Collection[ir.Value], roles: Mapping[ir.Node, Role], ranges: Ranges, outputs: Collection[ir.Value]
) -> bool:
    """Whether more operators leave float32 than products that undo the factor come to it, or as many but heavy ones."""
    large = [v for v in members if (seen := ranges.of(v)) is not None and seen.high * MARGIN > LARGEST]
    users = {use.node for v in large for use in v.uses()} | {n for v in large if (n := v.producer()) is not None}
    leave = [node for node in users if node in roles]
    come = sum(v in outputs or not all(_takes(node, index, roles) for node, index in v.uses()) for v in large)
    return len(leave) > come or (len(leave) == come and any(node.op_type in HEAVY for node in leave))


def _takes(node: ir.Node, index: int, roles: Mapping[ir.Node, Role]) -> bool:
    found = roles.get(node)
    return found is not None and index in (*found.alike, *found.blind, found.data)


def _exponent(high: float) -> int:
    """What brings the largest number to the level."""
    return _LEVEL - math.ceil(math.log2(high))


def _held(asked: int, array: Array, *, divides: bool) -> int:
    """The exponent nearest to the one asked for with which float16 holds the weights; a divisor takes its negative."""
    largest = float(np.abs(array).max(initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return asked
    mean = math.sqrt(float(np.square(array, dtype=np.float64).mean()))
    least, most = math.ceil(math.log2(_LEAST_WEIGHT / mean)), math.floor(math.log2(_LARGEST_WEIGHT / largest))
    if divides:
        least, most = -most, -least
    return max(min(asked, max(most, 0)), min(least, 0))
