"""Seeded random inputs similar to an example: typical ones, which accuracy is judged on, and adversarial ones.

An example shows shapes, types and rough magnitudes, but not what an app passes: a tensor of ones may stand for
an image, four distinct ids for ids that repeat, a step of 1 for any step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
Inputs = dict[str, Array]
Rng = np.random.Generator

SMALL = 8
"""Integers below this are each drawn: classes, steps and flags are usually that small."""

LARGE = 1000
"""The upper bound for single integers such as a diffusion step, a position or a count."""


def samples_like(examples: Mapping[str, Array], count: int, seed: int = 0) -> list[Inputs]:
    """The examples themselves, followed by `count - 1` seeded random inputs of the same shapes.

    Floats are normal with the example's mean and standard deviation (a constant example: its magnitude, or 1). Integers
    lie between the example's minimum and maximum, so that token ids stay valid and masks stay masks (0 and 1 if all are
    equal): uniform in the first draw, then sorted runs including both ends, then all equal. Booleans are random, then
    whole rows. A single integer, usually a step or a count, becomes 0, 1, 2 and so on.
    """
    drawn = [dict(examples)]
    for i in range(1, count):
        rng = np.random.default_rng(seed + i)
        drawn.append({name: _typical(array, i, rng) for name, array in examples.items()})
    for later in drawn[2:]:
        later.update({name: array for name, array in drawn[1].items() if array.size == 1 and array.dtype.kind == "f"})
    return drawn


def varies(examples: Mapping[str, Array]) -> bool:
    """Whether some input has several kinds of typical values: integers, booleans and single numbers."""
    return any(a.dtype.kind in "iub" or a.size == 1 for a in examples.values())


def _typical(array: Array, index: int, rng: Rng) -> Array:
    if array.size == 0:
        return array
    if array.dtype == np.bool_:
        return _random_truths(array, rng) if index % 2 else _whole_rows(array, rng)
    if array.dtype.kind in "iu":
        return _single(array, _count(array, index)) if array.size == 1 else _integers(array, index, rng)
    mean, deviation = _spread(array)
    return np.asarray(rng.standard_normal(array.shape) * deviation + mean).astype(array.dtype)


def _spread(array: Array) -> tuple[float, float]:
    values = array.astype(np.float64)
    mean, deviation = float(values.mean()), float(values.std())
    return (mean, deviation) if deviation > 0 else (mean, abs(mean) or 1.0)


def _count(array: Array, index: int) -> int:
    """The `index`th non-negative integer other than the example."""
    own = int(array.reshape(-1)[0])
    return index - 1 if index - 1 < own or own < 0 else index


def _single(array: Array, value: float) -> Array:
    return np.full_like(array, _fitting(array, value))


def _integers(array: Array, index: int, rng: Rng) -> Array:
    low, high = int(array.min()), int(array.max())
    if low == high:
        low, high = min(low, 0), max(high, 1)
    kind = index % 3
    if kind == 1:
        return rng.integers(low, high, array.shape, endpoint=True).astype(array.dtype)
    if kind == 2:
        return _runs(array, low, high, rng)
    return np.full_like(array, rng.integers(low, high, endpoint=True))


def _runs(array: Array, low: int, high: int, rng: Rng) -> Array:
    """Sorted runs of repeated values along the last dimension, including both bounds."""
    length = array.shape[-1]
    few = rng.integers(low, high, (*array.shape[:-1], max(length // 2, 1)), endpoint=True)
    drawn = np.take_along_axis(few, rng.integers(0, few.shape[-1], array.shape), -1)
    drawn[..., 0], drawn[..., -1] = high, low
    return np.sort(drawn, -1).astype(array.dtype)


def _random_truths(array: Array, rng: Rng) -> Array:
    return rng.integers(0, 2, array.shape).astype(np.bool_)


def _whole_rows(array: Array, rng: Rng) -> Array:
    """Rows (of the last dimension) that are entirely true or entirely false."""
    rows = rng.integers(0, 2, array.shape[:-1]).astype(np.bool_)
    return np.array(np.broadcast_to(rows[..., None] if array.ndim else rows, array.shape))


@dataclass(frozen=True)
class Strain:
    """One kind of adversarial input: its name, and how floats, integers and booleans are changed.

    `step` is how a single number is changed.
    """

    name: str
    floats: Callable[[Array, Rng], NDArray[np.float64]]
    integers: Callable[[Array, Rng], Array]
    truths: Callable[[Array, Rng], Array]
    step: float


def strained(examples: Mapping[str, Array], strain: Strain, seed: int = 0) -> Inputs:
    """Adversarial inputs of one kind: every input is changed according to its type."""
    rng = np.random.default_rng(seed)
    return {name: _strained(array, strain, rng) for name, array in examples.items()}


def _strained(array: Array, strain: Strain, rng: Rng) -> Array:
    if array.size == 0:
        return array
    if array.dtype == np.bool_:
        return strain.truths(array, rng)
    if array.size == 1:
        return _single(array, strain.step)
    if array.dtype.kind in "iu":
        return strain.integers(array, rng)
    limits = np.finfo(array.dtype.name)
    return np.clip(strain.floats(array, rng), float(limits.min), float(limits.max)).astype(array.dtype)


def _fitting(array: Array, value: float) -> float:
    if array.dtype.kind not in "iu":
        return value
    limits = np.iinfo(array.dtype.name)
    return min(max(int(value), limits.min), limits.max)


_TELLING = np.array(
    [0, -0.0, 1e-6, -1e-6, 1e-3, -1e-3, 0.1, -0.1, 0.3, 0.5, -0.5, 0.7, 1, -1, 1.5, -1.5, 2, -2, 2.5, 3, -3, 4, 10]
)
"""Values at which functions change their behaviour: signed zeros and tiny numbers, ties, integers, multiples of 0.1."""


def _mixed(array: Array, rng: Rng) -> NDArray[np.float64]:
    """Critical values, each several times, mixed with normal numbers."""
    picked = rng.choice(_TELLING, array.shape)
    return np.where(rng.random(array.shape) < 0.7, picked, rng.standard_normal(array.shape))


def _around(offset: float) -> Callable[[Array, Rng], NDArray[np.float64]]:
    return lambda array, rng: offset * _size(array) + rng.standard_normal(array.shape) * _size(array)


def _times(factor: float) -> Callable[[Array, Rng], NDArray[np.float64]]:
    return lambda array, rng: factor * _size(array) * rng.standard_normal(array.shape)


def _size(array: Array) -> float:
    """The example's magnitude: its root mean square, 1 for zeros."""
    return float(np.sqrt(np.mean(np.square(array.astype(np.float64))))) or 1.0


def _pixels(array: Array, rng: Rng) -> NDArray[np.float64]:
    return rng.integers(0, 256, array.shape).astype(np.float64)


def _same(array: Array, rng: Rng) -> NDArray[np.float64]:
    return np.full(array.shape, _size(array) * rng.standard_normal())


def _zeros(array: Array, rng: Rng) -> NDArray[np.float64]:
    return np.zeros(array.shape)


def _filled(value: Callable[[Array], float]) -> Callable[[Array, Rng], Array]:
    return lambda array, rng: np.full_like(array, _fitting(array, value(array)))


def _small(array: Array, rng: Rng) -> Array:
    """Every small value, in sorted runs."""
    return np.sort(rng.integers(0, SMALL, array.shape), -1).astype(array.dtype)


def _beyond(array: Array, rng: Rng) -> Array:
    """Values up to twice those seen, and negative indices as in Python."""
    limits = np.iinfo(array.dtype.name)
    high = min(2 * max(abs(int(array.max())), abs(int(array.min())), 1), np.iinfo(np.int64).max)
    drawn = rng.integers(-1 if array.dtype.kind == "i" else 0, high, array.shape, endpoint=True)
    return np.clip(drawn, limits.min, limits.max).astype(array.dtype)


def _whole_range(array: Array, rng: Rng) -> Array:
    """The full range of byte types; for wider types, values up to `LARGE`."""
    limits = np.iinfo(array.dtype.name)
    low, high = max(limits.min, -LARGE if limits.min < 0 else 0), min(limits.max, LARGE)
    return rng.integers(low, high, array.shape, endpoint=True).astype(array.dtype)


def _constant_truth(value: bool) -> Callable[[Array, Rng], Array]:
    return lambda array, rng: np.full(array.shape, value)


STRAINS = (
    Strain("telling numbers", _mixed, _small, _whole_rows, 2),
    Strain("a large mean", _around(1e3), _filled(lambda a: float(a.max())), _constant_truth(True), LARGE),
    Strain("zeros", _zeros, _filled(lambda a: 0), _constant_truth(False), 0),
    Strain("pixels of 0 to 255", _pixels, _beyond, _random_truths, 3),
    Strain("one constant", _same, _filled(lambda a: float(a.min())), _random_truths, 1),
    Strain("a thousandth", _times(1e-3), _filled(lambda a: 1), _random_truths, -1),
    Strain("a thousandfold", _times(1e3), _whole_range, _whole_rows, 7),
)
"""The kinds of adversarial inputs, the most revealing first."""
