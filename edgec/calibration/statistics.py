"""What a value was seen to be: extremes and a histogram, as numbers that can be added up and stored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

BINS = 4096
"""Bins of a histogram, half of them below zero: at least 1,024 up to the largest magnitude that was seen."""

_LEAST, _MOST = -100, 100
"""Powers of two between which histograms end."""

NEVER = 1e30
"""Numbers from here on stand for infinity: what masks hide, what pads a maximum."""


@dataclass
class Histogram:
    """Counts of values in equal bins from -2^`power` to 2^`power`; the range doubles where a value lies beyond.

    All ends are powers of two, so that histograms of any two values can be added without interpolation.
    """

    power: int = _LEAST
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    @property
    def width(self) -> float:
        """The width of a bin."""
        return math.ldexp(2.0, self.power) / BINS

    @property
    def edges(self) -> NDArray[np.float64]:
        """The ends of the bins, one more than there are bins."""
        return np.asarray((np.arange(BINS + 1) - BINS // 2) * self.width, dtype=np.float64)

    def add(self, values: NDArray[np.float32], largest: float) -> None:
        """Count finite values, none of which is larger than `largest`. One next to an edge may count in either bin."""
        self.widen(_power(largest))
        places = (values * np.float32(1 / self.width) + np.float32(BINS // 2)).astype(np.int32)
        self.counts += np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)

    def merge(self, other: Histogram) -> None:
        """Add the counts of another."""
        self.widen(other.power)
        counts = other.counts
        for _ in range(self.power - other.power):
            counts = _halved(counts)
        self.counts = self.counts + counts

    def widen(self, power: int) -> None:
        """Reach to 2^`power` at least."""
        if power > self.power and not self.counts.any():
            self.power = power
        while self.power < power:
            self.counts = _halved(self.counts)
            self.power += 1


def _power(magnitude: float) -> int:
    """The least p for which the magnitude lies below 2^p."""
    return min(max(math.frexp(magnitude)[1], _LEAST), _MOST)


def _halved(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same counts in bins of twice the width."""
    inner = counts.reshape(-1, 2).sum(axis=1)
    outer = np.zeros(BINS // 4, np.int64)
    return np.concatenate([outer, inner, outer])


@dataclass
class Statistics:
    """What one value was over all samples: how many numbers, how many of them exactly 0, the extremes.

    `low_sum` and `high_sum` add up each sample's own extremes, over `samples`. Numbers that are not finite, or
    as large as `NEVER`, are counted apart, and enter nothing else.
    """

    count: int = 0
    zeros: int = 0
    infinite: int = 0
    samples: int = 0
    low: float = math.inf
    high: float = -math.inf
    low_sum: float = 0.0
    high_sum: float = 0.0
    histogram: Histogram = field(default_factory=Histogram)

    def add(self, array: Array) -> None:
        """Take in one sample's value."""
        finite = np.asarray(array, dtype=np.float32).reshape(-1)
        if not finite.size:
            return
        low, high = float(finite.min()), float(finite.max())
        if not (low > -NEVER and high < NEVER):
            whole, finite = finite.size, finite[np.abs(finite) < NEVER]
            self.infinite += whole - finite.size
            if not finite.size:
                return
            low, high = float(finite.min()), float(finite.max())
        self.count += finite.size
        self.zeros += finite.size - int(np.count_nonzero(finite))
        self.samples += 1
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.low_sum, self.high_sum = self.low_sum + low, self.high_sum + high
        self.histogram.add(finite, max(-low, high))

    def merge(self, other: Statistics) -> None:
        """Take in what was seen of another value, as if both were one."""
        self.count, self.zeros = self.count + other.count, self.zeros + other.zeros
        self.infinite, self.samples = self.infinite + other.infinite, self.samples + other.samples
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.low_sum, self.high_sum = self.low_sum + other.low_sum, self.high_sum + other.high_sum
        self.histogram.merge(other.histogram)

    @property
    def is_constant(self) -> bool:
        """Whether one number was all that was seen."""
        return self.count > 0 and self.low == self.high


def merged(found: Iterable[Statistics]) -> Statistics:
    """Of several values as one."""
    whole = Statistics()
    for each in found:
        whole.merge(each)
    return whole


def to_arrays(found: Mapping[str, Statistics]) -> dict[str, Array]:
    """The statistics of many values as a few arrays, one row a value."""
    rows = list(found.values())
    return {
        "names": np.array(list(found), dtype=np.str_),
        "integers": np.array([[s.count, s.zeros, s.infinite, s.samples, s.histogram.power] for s in rows], np.int64),
        "numbers": np.array([[s.low, s.high, s.low_sum, s.high_sum] for s in rows], np.float64),
        "histograms": np.array([s.histogram.counts for s in rows], np.int64).reshape(-1, BINS),
    }


def from_arrays(arrays: Mapping[str, Array]) -> dict[str, Statistics]:
    """What `to_arrays` gave. Raises `KeyError` or `ValueError` for anything else."""
    integers, numbers, histograms = (arrays[k] for k in ("integers", "numbers", "histograms"))
    found = {}
    for name, whole, real, counts in zip(arrays["names"], integers, numbers, histograms, strict=True):
        count, zeros, infinite, samples, power = (int(n) for n in whole)
        low, high, low_sum, high_sum = (float(n) for n in real)
        histogram = Histogram(power, np.asarray(counts, dtype=np.int64))
        found[str(name)] = Statistics(count, zeros, infinite, samples, low, high, low_sum, high_sum, histogram)
    return found
