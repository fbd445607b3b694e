"""The effect of float32 rounding on a source's outputs: the limit below which no artifact is judged (ADR 0008)."""

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
"""Factor of the source's own rounding that another valid order of the same operations may show (DESIGN §8)."""

_DRAWS = 4
"""Number of runs of the source with perturbed rounding."""

_LEAST_NORMAL = float(np.finfo(np.float32).tiny)
"""Kernels may flush smaller numbers to zero."""

_STRAY = 0.01
"""Fraction of an output's elements that its noise leaves out: those that rounding moved across a step."""

_MOST_UNSTEADY = 0.1
"""Fraction of an output's elements that may be left out of a typical sample; one element always may."""

_UNIT = 2.0**-23


class Source(Protocol):
    """The source, run in float32, in float64, and with perturbed rounding; None if a form does not exist."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs in float32."""
        ...

    def precise(self, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """The outputs in float64."""
        ...

    def rounded(self, inputs: Mapping[str, Array], roundings: float, seed: int) -> dict[str, Array] | None:
        """The outputs with every operand perturbed by up to `roundings` roundings."""
        ...


@dataclass(frozen=True)
class OutputRounding:
    """One output of one sample: `noise`, the largest absolute rounding, and how far each element moved."""

    noise: float
    moved: Reals

    def bound(self, peak: float, rel: float) -> float:
        """The absolute error up to which an element is correct: `rel` times the peak, or the source's own rounding."""
        return max(rel * peak, TIMES * self.noise, _LEAST_NORMAL)

    def excused(self, expected: Array, actual: Array, rel: float, *, lenient: bool) -> Array:
        """`actual`, in which elements whose error rounding explains are replaced by the expected ones.

        Also left out are elements that rounding moves further than the bound, such as those near a step or a tie, and
        for inputs unlike the example (`lenient`) those that overflow in the source. In a sample like the example only
        few may be left out; if there are more, all of them are judged.
        """
        if self.moved.shape != expected.shape:  # rounding changes the number of elements
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
    """The rounding of each sample's outputs, computed on first use: most artifacts do not need it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[int, tuple[Sample, dict[str, OutputRounding]]] = {}

    def of(self, sample: Sample) -> dict[str, OutputRounding]:
        """The rounding by output; empty if the source cannot be run again."""
        if id(sample) not in self._known:
            self._known[id(sample)] = sample, self._computed(sample)
        return self._known[id(sample)][1]

    def _computed(self, sample: Sample) -> dict[str, OutputRounding]:
        precise = self._source.precise(sample.inputs)
        runs = self._perturbed(sample) if precise is None else self._rounded(sample)
        own = sample.expected if precise is None else precise
        times = TIMES if precise is not None else 1.0
        return {
            name: _output_rounding(own[name], sample.expected[name], [run[name] for run in runs], times)
            for name in (sample.expected if runs else ())
        }

    def _rounded(self, sample: Sample) -> list[dict[str, Array]]:
        runs = (self._source.rounded(sample.inputs, TIMES, seed) for seed in range(_DRAWS))
        return [run for run in runs if run is not None]

    def _perturbed(self, sample: Sample) -> list[dict[str, Array]]:
        """Without a float64 form: runs on inputs whose floats are perturbed by as many roundings."""
        runs = []
        for seed in range(_DRAWS):
            rng = np.random.default_rng(seed)
            try:
                runs.append(self._source.run({name: _perturb(a, rng) for name, a in sample.inputs.items()}))
            except EdgecError:
                continue
        return runs


def _perturb(array: Array, rng: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return array
    values = array.astype(np.float64)
    size = np.maximum(np.abs(values), np.abs(values).max(initial=0.0) * _UNIT or _UNIT)
    off = TIMES * _UNIT / 2 * size
    return np.asarray(values + off * rng.choice((-1.0, 1.0), array.shape)).astype(array.dtype)


def _output_rounding(exact: Array, expected: Array, runs: Sequence[Array], times: float) -> OutputRounding:
    """The noise of one output: the source's own, or what perturbed runs move, divided by `times`; `moved` by element.

    Float32 runs (`times` = 1) also differ by their own rounding.
    """
    other = next((run for run in (expected, *runs) if run.shape != exact.shape), None)
    if other is not None:
        return OutputRounding(0.0, np.zeros(other.shape))
    own = _differences(expected, exact)
    moved = np.max([_differences(run, exact) for run in runs], axis=0) if exact.size else own
    return OutputRounding(max(_largest(own), _largest(moved) / times), np.maximum(own, moved))


def _differences(run: Array, exact: Array) -> Reals:
    """The absolute difference of each element; 0 if both are NaN or the same infinity."""
    a, b = run.astype(np.float64), exact.astype(np.float64)
    with np.errstate(invalid="ignore"):
        off = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    return np.nan_to_num(off, nan=np.inf, posinf=np.inf)


def _largest(off: Reals) -> float:
    """The largest difference, except for the few largest, which may have crossed a step."""
    known = np.sort(off[np.isfinite(off)], axis=None)
    kept = known[: known.size - int(_STRAY * known.size)]
    return float(kept[-1]) if kept.size else 0.0
