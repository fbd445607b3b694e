"""The scale and zero point of each value of 8-bit kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgec.backends.base import Const, Instr, Operand, Program, Ref
from edgec.backends.tflite.quantize.kernels import Demand, data, demand
from edgec.calibration.statistics import NEVER, Statistics, merged
from edgec.quantization.parameters import Quantization
from edgec.quantization.solvers import solved
from edgec.spec.numerics import NumberFormat

_ALIKE = 1.25
"""The largest ratio of a common range to a value's own with which they share a scale: it costs 0.3 bits."""

_CHOOSES = frozenset({"MAXIMUM", "MINIMUM", "SELECT_V2", "PADV2"})
"""Builtins whose constants are bounds or fill values: they are clamped to the range of the computed values."""


@dataclass(frozen=True)
class Recipe:
    """How scales are computed from ranges: the format of values, and the method."""

    form: NumberFormat
    method: str


def scales(
    program: Program, integers: Sequence[int], seen: Mapping[str, Statistics], recipe: Recipe
) -> dict[str, Quantization]:
    """The quantization, by name, of every operand and result of the instructions at the positions `integers`.

    Values that kernels require to be equal share one, computed from the statistics of all of them.
    """
    groups = _Groups(seen)
    for i in integers:
        instr = program.instrs[i]
        for ref in (*(v for _, v in data(instr) if isinstance(v, Ref)), *_numbers(instr.outputs)):
            groups.add(ref.name)
        fixed = demand(instr.op)
        if isinstance(fixed, Quantization):
            for ref in instr.outputs:
                groups.pin(ref.name, fixed)
    uses = _uses(program)
    for i in integers:
        if demand(program.instrs[i].op) is Demand.SAME:
            _share(program.instrs[i], groups, uses)
    return groups.solved(recipe)


def _numbers(values: Sequence[Ref]) -> list[Ref]:
    return [ref for ref in values if ref.type.dtype == "float32"]


def _uses(program: Program) -> dict[str, int]:
    found: dict[str, int] = {}
    for operand in (*(o for instr in program.instrs for o in instr.operands()), *(o for _, o in program.outputs)):
        found[operand.name] = found.get(operand.name, 0) + 1
    return found


def _share(instr: Instr, groups: _Groups, uses: Mapping[str, int]) -> None:
    """Group the values that the kernel requires to have one scale; one with other uses only if its range is similar.

    Values outside the group are requantized before the kernel.
    """
    results = _numbers(instr.outputs)
    numbers = [operand for _, operand in data(instr)]
    computed = list({v.name: v for v in numbers if isinstance(v, Ref)}.values())
    for other in results[1:]:
        groups.unite(results[0].name, other.name)
    if instr.op not in _CHOOSES:
        for value in numbers:
            if isinstance(value, Const):
                groups.add_constant(results[0].name, value)
    for ref in computed:
        alone = len(computed) == 1
        if alone or groups.is_alike(ref.name, results[0].name) or (uses[ref.name] == 1 and not groups.pinned(ref.name)):
            groups.unite(ref.name, results[0].name)


@dataclass
class _Groups:
    """Groups of values that share one quantization (union-find)."""

    seen: Mapping[str, Statistics]
    _parent: dict[str, str] = field(default_factory=dict)
    _pins: dict[str, Quantization] = field(default_factory=dict)
    _constants: dict[str, list[Statistics]] = field(default_factory=dict)

    def add(self, name: str) -> None:
        self._parent.setdefault(name, name)

    def pin(self, name: str, fixed: Quantization) -> None:
        """Fix the quantization of the value's group."""
        self._pins[self._root(name)] = fixed

    def pinned(self, name: str) -> Quantization | None:
        """The fixed quantization of the value's group, or None."""
        return self._pins.get(self._root(name))

    def unite(self, name: str, other: str) -> None:
        """Merge two groups, unless they have different fixed quantizations."""
        a, b = self._root(name), self._root(other)
        pins = {p for p in (self._pins.get(a), self._pins.get(b)) if p is not None}
        if a == b or len(pins) > 1:
            return
        self._parent[b] = a
        self._constants.setdefault(a, []).extend(self._constants.pop(b, []))
        if pins:
            self._pins[a] = pins.pop()
        self._pins.pop(b, None)

    def add_constant(self, name: str, value: Const) -> None:
        """Include a constant in the group's range."""
        found = Statistics()
        found.add(value.numpy())
        self._constants.setdefault(self._root(name), []).append(found)

    def is_alike(self, name: str, other: str) -> bool:
        """Whether a common range costs the first value at most `_ALIKE` in resolution."""
        if self.pinned(name) != self.pinned(other) and self.pinned(name) is not None:
            return False
        (low, high), (least, most) = (_ends(self.seen[n]) for n in (name, other))
        return max(high, most) - min(low, least) <= _ALIKE * (high - low)

    def solved(self, recipe: Recipe) -> dict[str, Quantization]:
        """The quantization of each value."""
        members: dict[str, list[str]] = {}
        for name in self._parent:
            members.setdefault(self._root(name), []).append(name)
        found = {}
        for root, names in members.items():
            quantization = self._pins.get(root)
            if quantization is None:
                whole = merged([*(self.seen[name] for name in names), *self._constants.get(root, [])])
                quantization = solved(whole, recipe.form, recipe.method)
            found.update(dict.fromkeys(names, quantization))
        return found

    def _root(self, name: str) -> str:
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name


def _ends(found: Statistics) -> tuple[float, float]:
    """The range, extended to include 0."""
    return min(found.low, 0.0), max(found.high, 0.0)


def constant_steps(value: Operand, form: NumberFormat, shared: Quantization | None) -> tuple[np.ndarray, Quantization]:
    """A constant operand, quantized with its own range, or with the `shared` quantization."""
    assert isinstance(value, Const)
    array = np.asarray(value.numpy(), np.float64)
    found = Statistics()
    found.add(array)
    quantization = shared or solved(found, form, "min-max")
    return quantization.steps(np.clip(array, -NEVER, NEVER), form.limits).astype(np.int8), quantization
