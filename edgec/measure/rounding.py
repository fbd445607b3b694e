"""What float32 rounding itself does to a source's outputs: the floor below which no artifact is judged (ADR 0008)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgec.diag import EdgecError
from edgec.measure.samples import Sample

Array = NDArray[np.generic]
Reals = NDArray[np.float64]

TIMES = 8.0
"""How many times the source's own rounding another right order of the same operations may show (DESIGN §8)."""

_DRAWS = 4
"""Runs of the source with other roundings."""

_LEAST_NORMAL = float(np.finfo(np.float32).tiny)
"""Kernels may flush to zero what is smaller."""

_STRAY = 0.01
"""The part of an output's elements whose rounding is not counted to its noise: those that fell beside a step."""

_MOST_UNSTEADY = 0.1
"""The part of an output's elements that may be left out of a typical sample; a single one in any case."""

_UNIT = 2.0**-23


class Source(Protocol):
    """The source, run in float32, in double precision, and with other roundings; None where it has no such form."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Its outputs."""
        ...

    def precise(self, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """Its outputs in double precision."""
        ...

    def rounded(self, inputs: Mapping[str, Array], roundings: float, seed: int) -> dict[str, Array] | None:
        """Its outputs where every operand is off by up to so many roundings."""
        ...


@dataclass(frozen=True)
class OutputRounding:
    """One output of one sample: `noise`, the largest absolute rounding, and how far each element was seen to move."""

    noise: float
    moved: Reals

    def bound(self, peak: float, rel: float) -> float:
        """The absolute error below which an element is right: relative to the peak, or the source's own rounding."""
        return max(rel * peak, TIMES * self.noise, _LEAST_NORMAL)

    def excused(self, expected: Array, actual: Array, rel: float, *, lenient: bool) -> Array:
        """`actual` with the elements that rounding explains replaced by the expected ones.

        Left out are also elements that rounding moves further than the bound, such as those beside a step or a tie,
        and, where inputs are unlike the example (`lenient`), those that overflow in the source. Of a sample that is
        like the example they may be few; where they are more, all are judged.
        """
        if self.moved.shape != expected.shape:  # a rounding changes how many elements there are
            return expected if lenient else actual
        if expected.shape != actual.shape or expected.size == 0:
            return actual
        wanted, found = expected.astype(np.float64), actual.astype(np.float64)
        finite = np.isfinite(wanted)
        bound = self.bound(float(np.abs(wanted[finite]).max(initial=0.0)), rel)
        with np.errstate(invalid="ignore", over="ignore"):
            right = np.abs(found - wanted) <= np.maximum(bound, self.moved)
            unsteady = ~(self.moved <= bound) & finite
        if lenient:
            unsteady |= ~finite
        elif unsteady.sum() > max(1, _MOST_UNSTEADY * unsteady.size):
            unsteady = np.zeros_like(unsteady)
        return np.where(right | unsteady, expected, actual)


class SourceRounding:
    """The rounding of each sample's outputs, computed when it is first asked for: most artifacts need none."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[int, tuple[Sample, dict[str, OutputRounding]]] = {}

    def of(self, sample: Sample) -> dict[str, OutputRounding]:
        """By output; empty where the source cannot be run again."""
        if id(sample) not in self._known:
            self._known[id(sample)] = sample, self._computed(sample)
        return self._known[id(sample)][1]

    def _computed(self, sample: Sample) -> dict[str, OutputRounding]:
        precise = self._source.precise(sample.inputs)
        runs = self._nudged(sample) if precise is None else self._rounded(sample)
        own = sample.expected if precise is None else precise
        times = TIMES if precise is not None else 1.0
        return {
            name: _of(own[name], sample.expected[name], [run[name] for run in runs], times)
            for name in (sample.expected if runs else ())
        }

    def _rounded(self, sample: Sample) -> list[dict[str, Array]]:
        runs = (self._source.rounded(sample.inputs, TIMES, seed) for seed in range(_DRAWS))
        return [run for run in runs if run is not None]

    def _nudged(self, sample: Sample) -> list[dict[str, Array]]:
        """Without a form in double precision: run again on inputs whose floats are off by as many roundings."""
        runs = []
        for seed in range(_DRAWS):
            rng = np.random.default_rng(seed)
            try:
                runs.append(self._source.run({name: _nudge(a, rng) for name, a in sample.inputs.items()}))
            except EdgecError:
                continue
        return runs


def _nudge(array: Array, rng: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return array
    values = array.astype(np.float64)
    size = np.maximum(np.abs(values), np.abs(values).max(initial=0.0) * _UNIT or _UNIT)
    off = TIMES * _UNIT / 2 * size
    return np.asarray(values + off * rng.choice((-1.0, 1.0), array.shape)).astype(array.dtype)


def _of(exact: Array, expected: Array, runs: Sequence[Array], times: float) -> OutputRounding:
    """The noise is the source's own, and what so many roundings move by as many; `moved` is what they move.

    Runs in float32 differ by their own rounding as well, which is one.
    """
    other = next((run for run in (expected, *runs) if run.shape != exact.shape), None)
    if other is not None:
        return OutputRounding(0.0, np.zeros(other.shape))
    own = _apart(expected, exact)
    moved = np.max([_apart(run, exact) for run in runs], axis=0) if exact.size else own
    return OutputRounding(max(_largest(own), _largest(moved) / times), np.maximum(own, moved))


def _apart(run: Array, exact: Array) -> Reals:
    """How far each element is off; not at all where both are NaN or the same infinity."""
    a, b = run.astype(np.float64), exact.astype(np.float64)
    with np.errstate(invalid="ignore"):
        off = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    return np.nan_to_num(off, nan=np.inf, posinf=np.inf)


def _largest(off: Reals) -> float:
    """But for the few that are off most: those may have fallen to a step's other side."""
    known = np.sort(off[np.isfinite(off)], axis=None)
    kept = known[: known.size - int(_STRAY * known.size)]
    return float(kept[-1]) if kept.size else 0.0
