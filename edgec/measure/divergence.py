"""Compares two artifacts of one model value by value, to find where they diverge."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from edgec.measure.arrays import Array
from edgec.measure.fidelity import Difference, compare

_LAYOUTS = {4: ((0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2)), 3: ((0, 1, 2), (0, 2, 1))}
"""Orders of dimensions in which two formats may store one value: identity, channels last, channels first."""


@dataclass(frozen=True)
class Pair:
    """A value that both artifacts compute, its name in each, and the difference."""

    name: str
    other: str
    difference: Difference


def pairs(first: Iterable[tuple[str, Array]], second: Iterable[tuple[str, Array]]) -> list[Pair]:
    """The values that have a counterpart, in the first artifact's order.

    Values with the same name are counterparts; values of a loop, which have one name for all iterations, are paired by
    iteration. Names are compared apart from punctuation, since formats allow different characters, and from casts and
    layout changes. There is no counterpart for what only one artifact computes (such as a norm in parts), for a
    different number of elements, or for an unknown layout.
    """
    mine, others = _by_name(first), _by_name(second)
    theirs = {_plain(name): name for name in reversed(others)}  # the first of a plain name: the value before its casts
    found = []
    for name, arrays in mine.items():
        other = name if name in others else theirs.get(_plain(name), "")
        if other and len(others[other]) == len(arrays):
            aligned = ((array, _aligned(array, value)) for array, value in zip(arrays, others[other], strict=True))
            found += [Pair(name, other, _compared(name, array, v)) for array, v in aligned if v is not None]
    return found


def _by_name(values: Iterable[tuple[str, Array]]) -> dict[str, list[Array]]:
    found: dict[str, list[Array]] = {}
    for name, array in values:
        found.setdefault(name, []).append(array)
    return found


def _compared(name: str, array: Array, other: Array) -> Difference:
    """The difference, masked scores aside: -inf, -3.4e38 and float16's lowest number all give a weight of zero."""
    if array.dtype.kind == "f" and other.dtype.kind == "f":
        masked = np.less_equal(array, _MASKED_SCORE) & np.less_equal(other, _MASKED_SCORE)
        array, other = np.where(masked, 0, array), np.where(masked, 0, other)
    return compare(name, array, other)


_MASKED_SCORE = -6e4
"""Scores at or below this are masked."""


def _plain(name: str) -> str:
    """The name without casts and layout changes, which keep the value, and in punctuation that all formats allow."""
    parts = [re.sub(r"\W", "_", part).strip("_").lower() for part in name.split("/")]
    return "/".join(part for i, part in enumerate(parts) if i == 0 or part not in _SAME)


_SAME = frozenset({"float16", "float32", "nhwc", "nchw", "now"})
"""Suffixes of names of the same value in another type or layout, or read from a state."""


def _aligned(array: Array, other: Array) -> Array | None:
    """The other value in the first one's layout: of the orders that fit, the one with the smallest difference."""
    if array.dtype.kind in "OSU" or array.size != other.size or array.size == 0:
        return None
    orders = _LAYOUTS.get(other.ndim, tuple(permutations(range(other.ndim))) if other.ndim < 3 else ((),))
    fitting = [t for o in orders if (t := np.transpose(other, o) if o else other).shape == array.shape]
    if not fitting:
        return other.reshape(array.shape) if _squeezed(array) == _squeezed(other) else None
    reference = array.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of infinities
        return min(fitting, key=lambda t: float(np.nansum(np.abs(t.astype(np.float64) - reference))))


def _squeezed(array: Array) -> tuple[int, ...]:
    return tuple(d for d in array.shape if d != 1)
