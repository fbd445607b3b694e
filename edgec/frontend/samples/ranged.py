"""Random inputs within declared ranges: uniform over the range, and at its bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgec.spec.ranges import InputRange

Array = NDArray[np.generic]
Inputs = dict[str, Array]


def spread(inputs: Mapping[str, Array], ranges: Sequence[InputRange], seed: int) -> Inputs:
    """The inputs with uniform random numbers over the full range, where one is declared."""
    rng = np.random.default_rng(seed)
    known = {r.name: r for r in ranges}
    return {name: _uniform(a, known[name], rng) if name in known else a for name, a in inputs.items()}


def at_ends(inputs: Mapping[str, Array], ranges: Sequence[InputRange], seed: int) -> Inputs:
    """The inputs with random bounds of each range, mostly the one of larger magnitude."""
    rng = np.random.default_rng(seed)
    known = {r.name: r for r in ranges}
    return {name: _ends(a, known[name], rng) if name in known else a for name, a in inputs.items()}


def clipped(inputs: Mapping[str, Array], ranges: Sequence[InputRange]) -> Inputs:
    """The inputs, clipped to their ranges."""
    known = {r.name: r for r in ranges}
    return {
        name: np.clip(a, *_bounds(a, known[name])).astype(a.dtype) if name in known else a for name, a in inputs.items()
    }


def _uniform(array: Array, within: InputRange, rng: np.random.Generator) -> Array:
    low, high = _bounds(array, within)
    if array.dtype.kind in "iu":
        return rng.integers(low, high, array.shape, np.int64, endpoint=True).astype(array.dtype)
    return rng.uniform(low, high, array.shape).astype(array.dtype)


_LARGEST = int(np.iinfo(np.int64).max)

_FAR = 0.75
"""The share of elements at the bound of larger magnitude, which brings sums and squares close to their maximum."""


def _ends(array: Array, within: InputRange, rng: np.random.Generator) -> Array:
    low, high = _bounds(array, within)
    far, near = (high, low) if abs(high) >= abs(low) else (low, high)
    return np.asarray(np.where(rng.random(array.shape) < _FAR, far, near)).astype(array.dtype)


def _bounds(array: Array, within: InputRange) -> tuple[Any, Any]:
    """The bounds in the array's own type: integers within the range."""
    if array.dtype.kind not in "iu":
        return within.low, within.high
    limits = np.iinfo(array.dtype.name)
    return max(math.ceil(within.low), int(limits.min)), min(math.floor(within.high), int(limits.max), _LARGEST)
