"""Which activations are scaled by a power of two, and by which."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array
from edgec.backends.coreml.precision.activation_scaling.roles import Role, role
from edgec.backends.coreml.precision.value_ranges import HEAVY, LARGEST, MARGIN, SMALLEST_NORMAL, Range, Ranges
from edgec.ir.model import Model, captured, constant, is_constant, subgraphs
from edgec.ir.states import states

_LEVEL = 9
"""The largest observed value becomes at most 2 to this, 128 times below float16's largest: pixels of 0 to 255 are 64
times as large as the usual samples. Down to float16's smallest normal number there are 23 powers of two."""

_SPAN = 2.0**10
"""Tensors whose largest values differ by more share no factor: the smaller one would lose digits. At this ratio its
scaled values are up to 0.5, with 13 powers of two below."""

_LEAST_WEIGHT, _LARGEST_WEIGHT = 2.0**-13, 2.0**13
"""Bounds for the root mean square of scaled weights, below which float16's rounding of small ones exceeds half a digit
of it, and for the largest."""


_LEAST_VARIANCE = 0.25
"""The target variance of a normalization on the samples: float16's smallest epsilon, 6e-8, is negligible even for
inputs 100 times smaller."""


@dataclass(frozen=True)
class Plan:
    """Values are scaled by 2 to their exponent (0 if none is given) in the nodes of `roles`."""

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
        """The exponent applied to the node's weight, within the range of float16 weights."""
        found = self.roles[node]
        assert found.data is not None
        assert found.weight is not None
        asked = self.result(node) - self.of(node.inputs[found.data])
        array = constant(node.inputs[found.weight])
        return asked if asked == 0 or array is None else _fitting_exponent(asked, array, divides=found.divides)

    def operand(self, node: ir.Node, index: int) -> int:
        """The exponent that the node requires of a computed operand."""
        found, value = self.roles.get(node), node.inputs[index]
        if found is None:
            return 0
        if index in found.alike:
            return self.result(node)
        if index == found.data:
            return self.result(node) - self.weight(node)
        return self._blind(node, value) if index in found.blind and self.of(value) != 0 else 0

    def _blind(self, node: ir.Node, value: ir.Value | None) -> int:
        """The value's exponent; for a normalization one at which variances are far above float16's smallest epsilon."""
        held, least, seen = self.of(value), self.ranges.divisor(node), self.ranges.of(value)
        if least is None or seen is None or seen.high == 0:
            return held
        wanted = math.ceil(math.log2(_LEAST_VARIANCE / least) / 2) if least > 0 else 0
        asked = max(held, min(wanted, _exponent(seen.high)))
        return asked if least * 4.0**asked >= MARGIN * SMALLEST_NORMAL else 0


def plan(model: Model, ranges: Ranges, kept: Collection[ir.Node]) -> Plan:
    """Choose a factor for each class of values beyond float16's range if fewer operators then stay in float32.

    Nodes in `kept` stay in float32 for other reasons, and get no factor.
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
    """The results, and the operands with the same factor."""
    results = [v for v in node.outputs if v.dtype == ir.DataType.FLOAT]
    alike = [node.inputs[i] for i in found.alike if i < len(node.inputs)]
    return [*results, *(v for v in alike if v is not None and not is_constant(v))]


def _pinned(model: Model, roles: Mapping[ir.Node, Role]) -> set[ir.Value]:
    """Values without a factor: inputs, states, captures of branches and loops, results of operators without roles."""
    names = {name for state in states(model) for name in (state.input, state.output)}
    inner = [graph for node in model.graph for graph in subgraphs(node)]
    read = {*captured(*inner), *(v for v in model.graph.outputs if v.name in names)}
    made = (n for n in model.graph if n not in roles or not roles[n].is_given or not read.isdisjoint(n.outputs))
    return {*model.graph.inputs, *read, *(v for node in made for v in node.outputs)}


@dataclass
class _Classes:
    """Classes of values with the same factor: those that operators tie, unless their ranges differ too much."""

    ranges: Ranges
    pinned: Collection[ir.Value]
    parents: dict[ir.Value, ir.Value] = field(default_factory=dict)
    spans: dict[ir.Value, Range] = field(default_factory=dict)

    def join(self, members: list[ir.Value], results: int) -> None:
        """Merge the classes of the members with the first one's where ranges allow; the `results` of a node always."""
        free = [v for v in members if v not in self.pinned]
        for i, value in enumerate(free):
            a, b = self.find(free[0]), self.find(value)
            both = self.spans[a].joined(self.spans[b])
            if a is not b and (i < results or both.high <= both.low * _SPAN):
                self.parents[b] = a
                self.spans[a] = both

    def find(self, value: ir.Value) -> ir.Value:
        """The representative of the value's class."""
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
        """The exponent that scales the class down; 0 if its values fit float16, or overflow in float32."""
        high = self.spans[self.find(value)].high
        return _exponent(high) if LARGEST < high * MARGIN < math.inf else 0


def _pays(
    members: Collection[ir.Value], roles: Mapping[ir.Node, Role], ranges: Ranges, outputs: Collection[ir.Value]
) -> bool:
    """Whether fewer multiplications are added than operators leave float32, or as many but those are heavy."""
    large = [v for v in members if (seen := ranges.of(v)) is not None and seen.high * MARGIN > LARGEST]
    users = {use.node for v in large for use in v.uses()} | {n for v in large if (n := v.producer()) is not None}
    leave = [node for node in users if node in roles]
    come = sum(v in outputs or not all(_accepts(node, index, roles) for node, index in v.uses()) for v in large)
    return len(leave) > come or (len(leave) == come and any(node.op_type in HEAVY for node in leave))


def _accepts(node: ir.Node, index: int, roles: Mapping[ir.Node, Role]) -> bool:
    found = roles.get(node)
    return found is not None and index in (*found.alike, *found.blind, found.data)


def _exponent(high: float) -> int:
    """The exponent that brings the largest value to the level."""
    return _LEVEL - math.ceil(math.log2(high))


def _fitting_exponent(asked: int, array: Array, *, divides: bool) -> int:
    """The nearest exponent for which the scaled weights fit float16; a divisor gets its negative."""
    largest = float(np.abs(array).max(initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return asked
    mean = math.sqrt(float(np.square(array, dtype=np.float64).mean()))
    least, most = math.ceil(math.log2(_LEAST_WEIGHT / mean)), math.floor(math.log2(_LARGEST_WEIGHT / largest))
    if divides:
        least, most = -most, -least
    return max(min(asked, max(most, 0)), min(least, 0))
