"""Two artifacts of one model, value by value: where they part."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from edgec.measure.arrays import Array
from edgec.measure.fidelity import Difference, compare

_LAYOUTS = {4: ((0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2)), 3: ((0, 1, 2), (0, 2, 1))}
"""Orders of dimensions in which two formats may hold one value: as it is, channels last, channels first."""


@dataclass(frozen=True)
class Pair:
    """A value that both artifacts compute under one name, and how far apart it is."""

    name: str
    other: str
    difference: Difference


def pairs(first: Iterable[tuple[str, Array]], second: Iterable[tuple[str, Array]]) -> list[Pair]:
    """The values that have a counterpart, in the first artifact's order.

    Values of the same name are counterparts; those of a loop, which have one name in every step, step by step. Formats
    allow different punctuation, and casts and changes of layout have names of their own. Behind a slash stands what
    made a value in place of its source's: the last such value is taken for the source's, where the other artifact has
    that. A value with another number of elements, or in no known layout, has no counterpart.
    """
    mine, others = _by_name(first), _by_name(second)
    own, theirs = _by_plain(mine), _by_plain(others)
    found = []
    for name, arrays in mine.items():
        plain = _plain(name)
        other = name if name in others else (theirs.get(plain) or theirs.get(_counterpart(plain, own, theirs), ""))
        if other and len(others[other]) == len(arrays):
            aligned = ((array, _aligned(array, value)) for array, value in zip(arrays, others[other], strict=True))
            found += [Pair(name, other, compare(name, array, value)) for array, value in aligned if value is not None]
    return found


def _by_name(values: Iterable[tuple[str, Array]]) -> dict[str, list[Array]]:
    found: dict[str, list[Array]] = {}
    for name, array in values:
        found.setdefault(name, []).append(array)
    return found


def _by_plain(names: Iterable[str]) -> dict[str, str]:
    """The names that stand for a plain one: the value itself before its casts."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(_plain(name), name)
    return found


def _counterpart(plain: str, mine: Collection[str], others: Collection[str]) -> str:
    """The last value made in place of the source's, or the source's value for the last one made in its place."""
    base = plain.split("/")[0]
    if plain == base:
        return _last(base, others)
    return base if base not in mine and _last(base, mine) == plain else ""


def _last(base: str, names: Iterable[str]) -> str:
    return ([n for n in names if n.startswith(f"{base}/") and _MADE.search(n)] or [""])[-1]


_MADE = re.compile(r"_\d+$")
"""The end of a name that a rule gave, in plain punctuation."""


def _plain(name: str) -> str:
    """Without casts and changes of layout, which keep the value, and in the punctuation that all formats have."""
    parts = [re.sub(r"\W", "_", part).strip("_").lower() for part in name.split("/")]
    return "/".join(part for i, part in enumerate(parts) if i == 0 or part not in _SAME)


_SAME = frozenset({"float16", "float32", "nhwc", "nchw", "now"})
"""Ends of names of the same value in another type or layout, or read from a state."""


def _aligned(array: Array, other: Array) -> Array | None:
    """The other value in the first one's layout: of the orders that fit, the one that is nearest."""
    if array.dtype.kind in "OSU" or array.size != other.size or array.size == 0:
        return None
    orders = _LAYOUTS.get(other.ndim, tuple(permutations(range(other.ndim))) if other.ndim < 3 else ((),))
    fitting = [t for o in orders if (t := np.transpose(other, o) if o else other).shape == array.shape]
    if not fitting:
        return other.reshape(array.shape) if _squeezed(array) == _squeezed(other) else None
    reference = array.astype(np.float64)
    return min(fitting, key=lambda t: float(np.nansum(np.abs(t.astype(np.float64) - reference))))


def _squeezed(array: Array) -> tuple[int, ...]:
    return tuple(d for d in array.shape if d != 1)
