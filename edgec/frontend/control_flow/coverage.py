"""Samples that take each side of each branch, found by search over the inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgec.diag import EdgecError, Place
from edgec.frontend.control_flow.functions import Rewritten
from edgec.frontend.control_flow.merge import Site
from edgec.frontend.control_flow.runtime import STAYS_LOOP, Runtime

Array = NDArray[np.generic]
Inputs = dict[str, Array]

TRIALS = 128
"""Runs of the model that the search may take; it ends as soon as every side was seen."""

_FOR_COINCIDENCES = 40
"""Runs that the search takes for what need not be found."""

_SCALES = (-1.0, 0.0, 0.01, 100.0, -100.0)
_COUNTS = (0, 1, 2, 3)
"""For single integers, which often say how many steps there are to take."""
_SHIFTS = (-1.0, 1.0, -10.0, 10.0)


@dataclass(frozen=True)
class Covered:
    """A branch on data: where it is, what became of it, and which of its sides verification takes.

    `rounds` says, for a loop of the graph, how many steps it runs: none, one or (2) several; None for all others.
    One that has `begun` before data decide on it runs one step at least.
    """

    site: Site
    how: str
    sides: tuple[bool, ...]
    rounds: tuple[int, ...] | None = None
    begun: bool = False

    @property
    def place(self) -> Place:
        """Its line in the source."""
        return self.site.place

    @property
    def missing(self) -> tuple[str, ...]:
        """What no sample makes of it, in words."""
        if self.rounds is not None:
            needless = (0,) if self.begun else ()
            return tuple(f"runs {text}" for count, text in _ROUNDS.items() if count not in (*self.rounds, *needless))
        words = _ENDS if self.site.kind in ("for", "while") else _TRUTHS
        return tuple(text for side, text in words.items() if side not in self.sides)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, and a loop ran a single step as well."""
        return not self.missing and (self.rounds is None or 1 in self.rounds)


_PATIENCE = 1000
"""Steps of a loop after which inputs that were made up are taken for ones that never let it end."""

_TRUTHS = {True: "is true", False: "is false"}
_ENDS = {True: "goes on", False: "ends early"}

_ROUNDS = {0: "no step", 2: "several steps"}
"""What has to be seen of a loop. That it runs a single step is looked for, but may need a coincidence."""


def cover(
    rewritten: Rewritten, run: Callable[[Inputs], object], samples: Sequence[Inputs], seed: int = 0
) -> tuple[list[Inputs], list[Covered]]:
    """Further samples, each of which takes a side, or a number of steps, that those before it do not, and the result.

    `run` executes the eager model and raises `EdgecError` where that fails; the rewritten functions record the sides
    that it takes.
    """
    runtime = rewritten.runtime
    found: list[Inputs] = []
    with rewritten.active():
        run(samples[0])
        runtime.patience = _PATIENCE
        for inputs in samples[1:]:
            _runs(run, inputs)
        for trial, inputs in enumerate(_candidates(samples, found, np.random.default_rng(seed))):
            seen = _covered(runtime)
            complete = all(b.complete for b in seen) and not _unraised(runtime)
            if complete or (trial >= _FOR_COINCIDENCES and not any(b.missing for b in seen)):
                break
            before = _seen(runtime)
            if _runs(run, inputs) and _seen(runtime) > before:
                found.append(inputs)
        runtime.patience = None
    return found, _covered(runtime)


def _covered(runtime: Runtime) -> list[Covered]:
    found = []
    for site, how in runtime.selected.items():
        rounds = tuple(sorted(runtime.rounds.get(site, ()))) if how == STAYS_LOOP else None
        found.append(
            Covered(site, how, tuple(sorted(runtime.sides.get(site, ()), reverse=True)), rounds, site in runtime.begun)
        )
    return sorted(found, key=lambda branch: (branch.site.file, branch.site.line))


def _unraised(runtime: Runtime) -> bool:
    """Whether some side that was left out because it raises was not seen to: a caller may catch what it raises."""
    return any(len(runtime.sides.get(site, ())) < 2 for site in runtime.unchecked if site.kind != "assert")


def _seen(runtime: Runtime) -> int:
    return sum(map(len, runtime.sides.values())) + sum(map(len, runtime.rounds.values()))


def _runs(run: Callable[[Inputs], object], inputs: Inputs) -> bool:
    try:
        run(inputs)
    except EdgecError:
        return False  # inputs that the model itself does not take
    return True


def _candidates(samples: Sequence[Inputs], found: list[Inputs], rng: np.random.Generator) -> Iterator[Inputs]:
    """First plain changes of the first sample, then random ones of whatever was found."""
    first = samples[0]
    for scale in _SCALES:
        yield {name: _scaled(a, scale, 0.0, first[name]) for name, a in first.items()}
    for shift in _SHIFTS:
        yield {name: _scaled(a, 1.0, shift, first[name]) for name, a in first.items()}
    for name in first:
        for scale in _SCALES:
            yield {**first, name: _scaled(first[name], scale, 0.0, first[name])}
    for name in (name for name, a in first.items() if a.size == 1 and a.dtype.kind in "iu"):
        yield from ({**first, name: np.full_like(first[name], count)} for count in _COUNTS)
    for _ in range(TRIALS):
        pool = [*samples, *found]
        base = pool[int(rng.integers(len(pool)))]
        yield {name: np.asarray(_mutated(a, first[name], rng)) for name, a in base.items()}


def _scaled(array: Array, scale: float, shift: float, like: Array) -> Array:
    """`scale · array + shift` for floats; integers become the example's least, its greatest, or are mirrored."""
    if array.dtype == np.bool_:
        return np.logical_not(array) if scale < 0 else array
    if array.dtype.kind not in "iu":
        return np.asarray(array.astype(np.float64) * scale + shift).astype(array.dtype)
    low, high = int(like.min(initial=0)), int(like.max(initial=0))
    if scale == 0.0 or shift < 0:
        return np.full_like(array, low)
    if shift > 0:
        return np.full_like(array, high)
    return np.asarray(low + high - array).astype(array.dtype) if scale < 0 else array


def _mutated(array: Array, like: Array, rng: np.random.Generator) -> Array:
    """A random change: of scale, of offset, of some elements, or a new draw."""
    if array.size == 0 or rng.random() < 0.25:
        return array
    if array.dtype == np.bool_:
        return np.logical_xor(array, rng.random(array.shape) < rng.random())
    if array.dtype.kind in "iu":
        low, high = int(like.min()), int(like.max())
        reach = max(2, high - low)
        drawn = rng.integers(max(0, low - reach) if low >= 0 else low - reach, high + reach + 1, array.shape)
        fresh = rng.integers(low, high + 1, array.shape) if rng.random() < 0.5 else drawn
        return np.where(rng.random(array.shape) < rng.random(), fresh, array).astype(array.dtype)
    scale, shift = 10 ** rng.uniform(-2, 2), rng.normal() * 10 ** rng.uniform(-1, 1.5)
    noise = rng.standard_normal(array.shape) * 10 ** rng.uniform(-1, 1)
    part = rng.random(array.shape) < rng.random()
    changed = np.where(part, noise, array) if rng.random() < 0.5 else array.astype(np.float64) * scale + shift
    return np.asarray(changed).astype(array.dtype)
