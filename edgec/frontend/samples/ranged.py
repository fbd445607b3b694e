"""Inputs within declared ranges: spread over the whole of it, and at its ends."""

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
    """The inputs with uniform numbers from the whole of each range where there is one."""
    rng = np.random.default_rng(seed)
    known = {r.name: r for r in ranges}
    return {name: _uniform(a, known[name], rng) if name in known else a for name, a in inputs.items()}


def at_ends(inputs: Mapping[str, Array], ranges: Sequence[InputRange], seed: int) -> Inputs:
    """The inputs with both ends of each range at random, mostly the one of larger magnitude."""
    rng = np.random.default_rng(seed)
    known = {r.name: r for r in ranges}
    return {name: _ends(a, known[name], rng) if name in known else a for name, a in inputs.items()}


def clipped(inputs: Mapping[str, Array], ranges: Sequence[InputRange]) -> Inputs:
    """The inputs, what lies outside its range at the nearest end."""
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
"""The share of elements at the end of larger magnitude: sums and squares then come near their largest."""


def _ends(array: Array, within: InputRange, rng: np.random.Generator) -> Array:
    low, high = _bounds(array, within)
    far, near = (high, low) if abs(high) >= abs(low) else (low, high)
    return np.asarray(np.where(rng.random(array.shape) < _FAR, far, near)).astype(array.dtype)


def _bounds(array: Array, within: InputRange) -> tuple[Any, Any]:
    """The ends in the array's own type: whole numbers inside the range."""
    if array.dtype.kind not in "iu":
        return within.low, within.high
    limits = np.iinfo(array.dtype.name)
    return max(math.ceil(within.low), int(limits.min)), min(math.floor(within.high), int(limits.max), _LARGEST)
