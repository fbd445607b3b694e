"""Searches for inputs that take each side of each data-dependent branch, to be used as samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgec.diag import EdgecError, Place, error
from edgec.frontend.torch.autograph.operators.control_flow import STAYS_LOOP, Runtime
from edgec.frontend.torch.autograph.operators.select import Site
from edgec.frontend.torch.autograph.replacement import Rewritten

Array = NDArray[np.generic]
Inputs = dict[str, Array]

TRIALS = 128
"""The maximum number of runs of the search; it ends as soon as every side has been taken."""

_FOR_EXCEPTIONS = 100
"""The number of runs spent searching for exceptions that are caught."""

_FOR_COINCIDENCES = 80
"""The number of runs spent searching for optional coverage."""

_SCALES = (-1.0, 0.0, 0.01, 100.0, -100.0)
_COUNTS = (0, 1, 2, 3)
"""Values tried for single integers, which are often a number of iterations."""
_SHIFTS = (-1.0, 1.0, -10.0, 10.0)


@dataclass(frozen=True)
class Covered:
    """A data-dependent branch: where it is, how it was rewritten, and which of its sides the samples take.

    `rounds` are, for a loop of the graph, the iteration counts seen: 0, 1 or 2 (several); None for anything else. A
    loop that has `begun` before its condition depends on data always runs at least one iteration.
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
        """What no sample covers, in words."""
        if self.rounds is not None:
            needless = (0,) if self.begun else ()
            return tuple(f"runs {text}" for count, text in _ROUNDS.items() if count not in (*self.rounds, *needless))
        words = _ENDS if self.site.kind in ("for", "while") else _TRUTHS
        return tuple(text for side, text in words.items() if side not in self.sides)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing; a loop must also have run exactly one iteration."""
        return not self.missing and (self.rounds is None or 1 in self.rounds)


_PATIENCE = 1000
"""The number of iterations after which an input is assumed to make a loop endless."""

_LARGEST = 4096
"""The largest integer tried as an input, since it may be a number of iterations."""

_BLIND = 24
"""The number of random inputs tried before inputs derived from the constants in the code."""

_TOLD = 24
"""The number of constants from the code that are tried for one input."""

_TRUTHS = {True: "is true", False: "is false"}
_ENDS = {True: "goes on", False: "ends early"}

_ROUNDS = {0: "no step", 2: "several steps"}
"""Required coverage of a loop. A single iteration is searched for, but may depend on a coincidence."""


def cover(
    rewritten: Rewritten, run: Callable[[Inputs], Inputs], samples: Sequence[Inputs], seed: int = 0
) -> tuple[list[Inputs], list[Covered]]:
    """Further samples, each of which takes a side or an iteration count that the earlier ones do not, and the coverage.

    `run` executes the eager model and raises `EdgecError` if that fails; the rewritten functions record the sides
    taken. A sample close to a decision boundary, such as a tie between two classes, is used only if no other covers the
    same: its result depends on rounding.
    """
    runtime = rewritten.runtime
    found: list[Inputs] = []
    edges: list[Inputs] = []
    with rewritten.active(watching=True):
        runtime.handled.clear()
        run(samples[0])
        run = _alike(run, runtime)
        runtime.patience = _PATIENCE
        for inputs in samples[1:]:
            _runs(run, inputs)
        for trial, inputs in enumerate(_candidates(samples, found, rewritten.constants(), seed)):
            seen = _covered(runtime)
            complete = all(b.complete for b in seen) and not _unraised(runtime)
            complete = complete and (not rewritten.watches or trial >= _FOR_EXCEPTIONS)
            if complete or (trial >= _FOR_COINCIDENCES and not any(b.missing for b in seen)):
                break
            before = runtime.record()
            if _shows_more(runtime, run, inputs):
                steady = _is_steady(run, inputs, np.random.default_rng(seed))
                (found if steady else edges).append(inputs)
                runtime.recall(before)
                if steady:
                    _runs(run, inputs)
        found += [inputs for inputs in edges if _shows_more(runtime, run, inputs)]
        runtime.patience = None
    return found, _covered(runtime)


def _alike(run: Callable[[Inputs], Inputs], runtime: Runtime) -> Callable[[Inputs], Inputs]:
    """`run` for further inputs; raises `CaughtError` if exceptions are caught for some inputs only."""
    known = dict(runtime.handled)

    def further(inputs: Inputs) -> Inputs:
        runtime.handled.clear()
        result = run(inputs)
        for site, runs in runtime.handled.items():
            if known.setdefault(site, runs) != runs:
                raise CaughtError(site)
        return result

    return further


class CaughtError(Exception):
    """An exception handler runs for some data and not for other data."""

    def __init__(self, site: Site) -> None:
        super().__init__(str(site.place))
        self.refused = error(
            "E0206",
            f"this `{site.kind}` catches an exception that depends on data, and a graph cannot raise exceptions",
            place=site.place,
            notes=["it runs for some inputs only"],
            help=["check beforehand with an `if` on the index, the divisor or the checked value"],
        )


def _covered(runtime: Runtime) -> list[Covered]:
    found = []
    for site, how in runtime.selected.items():
        rounds = tuple(sorted(runtime.rounds.get(site, ()))) if how == STAYS_LOOP else None
        found.append(
            Covered(site, how, tuple(sorted(runtime.sides.get(site, ()), reverse=True)), rounds, site in runtime.begun)
        )
    return sorted(found, key=lambda branch: (branch.site.file, branch.site.line))


def _unraised(runtime: Runtime) -> bool:
    """Whether a side omitted because it raises was never taken: its exception may be caught by a caller."""
    return any(len(runtime.sides.get(site, ())) < 2 for site in runtime.unchecked if site.kind != "assert")


def _seen(runtime: Runtime) -> int:
    return sum(map(len, runtime.sides.values())) + sum(map(len, runtime.rounds.values()))


def _shows_more(runtime: Runtime, run: Callable[[Inputs], Inputs], inputs: Inputs) -> bool:
    before = _seen(runtime)
    return _runs(run, inputs) and _seen(runtime) > before


_NUDGE = 1e-6
"""A change of an input, relative to its spread, that is as small as a rounding error."""

_STEADY = 1e-2
"""The largest change of an output, relative to its largest element, that is possible if no decision changed."""


def _is_steady(run: Callable[[Inputs], Inputs], inputs: Inputs, rng: np.random.Generator) -> bool:
    """Whether a change of the inputs as small as a rounding error leaves the outputs nearly unchanged."""
    nudged = {name: _nudged(a, rng) for name, a in inputs.items()}
    try:
        pairs = list(zip(run(inputs).values(), run(nudged).values(), strict=True))
    except (EdgecError, ValueError):
        return False
    return all(a.shape == b.shape and _near(a.astype(np.float64), b.astype(np.float64)) for a, b in pairs)


def _nudged(array: Array, rng: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return array
    spread = float(np.abs(array).max(initial=0.0)) or 1.0
    noise = _NUDGE * spread * rng.standard_normal(array.shape)
    return np.asarray(array.astype(np.float64) + noise).astype(array.dtype)


def _near(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return False
    a, b = np.where(np.isfinite(a), a, 0), np.where(np.isfinite(b), b, 0)
    return bool(np.abs(a - b).max(initial=0.0) <= _STEADY * max(float(np.abs(a).max(initial=0.0)), _NUDGE))


def _runs(run: Callable[[Inputs], object], inputs: Inputs) -> bool:
    try:
        run(inputs)
    except (EdgecError, ValueError):
        return False  # inputs that the model does not take, or gives something else for than its example's structure
    return True


def _candidates(
    samples: Sequence[Inputs], found: list[Inputs], constants: Sequence[float], seed: int
) -> Iterator[Inputs]:
    """Simple changes of the first sample, then random changes of samples found, mixed with constants of the code."""
    rng, first = np.random.default_rng(seed), samples[0]
    for scale in _SCALES:
        yield {name: _scaled(a, scale, 0.0, first[name]) for name, a in first.items()}
    for shift in _SHIFTS:
        yield {name: _scaled(a, 1.0, shift, first[name]) for name, a in first.items()}
    for name in first:
        for scale in _SCALES:
            yield {**first, name: _scaled(first[name], scale, 0.0, first[name])}
    for name in (name for name, a in first.items() if a.size == 1 and a.dtype.kind in "iu"):
        yield from ({**first, name: np.full_like(first[name], count)} for count in _COUNTS)
    for trial in range(TRIALS):
        if trial == _BLIND:
            for name, a in first.items():
                yield from ({**first, name: np.full_like(a, value)} for value in _telling(a, first, constants))
        pool = [*samples, *found]
        base = pool[int(rng.integers(len(pool)))]
        yield {name: np.asarray(_mutated(a, first[name], rng)) for name, a in base.items()}


def _telling(array: Array, inputs: Inputs, constants: Sequence[float]) -> list[float]:
    """Values close to the constants in the code and, for integers, close to the sizes that they may index."""
    if array.dtype.kind == "f":
        return [n + d for n in constants[-_TOLD:] for d in (-0.5, 0.5)]
    if array.dtype.kind not in "iu":
        return []
    limits: Any = np.iinfo(array.dtype.name)
    sizes = {float(size) for other in inputs.values() for size in other.shape}
    near = {n + d for n in {*sizes, *constants} for d in (-1, 0, 1)} | {-n - 1 for n in sizes}
    fit = sorted(n for n in near if max(limits.min, -_LARGEST) <= n <= min(limits.max, _LARGEST))
    return fit[:: max(1, len(fit) // _TOLD)]


def _scaled(array: Array, scale: float, shift: float, like: Array) -> Array:
    """`scale · array + shift` for floats; integers become the example's minimum, its maximum, or are mirrored."""
    if array.dtype == np.bool_:
        return np.asarray(np.logical_not(array)) if scale < 0 else array
    if array.dtype.kind not in "iu":
        return np.asarray(array.astype(np.float64) * scale + shift).astype(array.dtype)
    low, high = int(like.min(initial=0)), int(like.max(initial=0))
    if scale == 0.0 or shift < 0:
        return np.full_like(array, low)
    if shift > 0:
        return np.full_like(array, high)
    return np.asarray(low + high - array).astype(array.dtype) if scale < 0 else array


def _mutated(array: Array, like: Array, rng: np.random.Generator) -> Array:
    """A random change: of scale, of offset, of some elements, or new random values."""
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
