"""Confidence intervals and paired tests: in closed form for proportions, by bootstrap for other metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Records = NDArray[np.object_] | NDArray[np.float64]
"""One record for each sample: a row of numbers, or an object."""

Value = Callable[[Records], float]
"""A metric of records, from 0 to 1 or in its own units."""

CONFIDENCE = 0.95
_Z = 1.959963984540054
"""The standard normal quantile of a two-sided interval of `CONFIDENCE`."""

RESAMPLES = 1000
"""Bootstrap samples: enough for the second digit of a 95 % interval (Efron and Tibshirani 1993, ch. 14)."""


@dataclass(frozen=True)
class Interval:
    """A value with its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """The paired difference of two subjects on the same samples, and its two-sided p-value."""

    value: float
    low: float
    high: float
    p_value: float

    @property
    def is_significant(self) -> bool:
        """Whether the p-value is below 5 %."""
        return self.p_value < 1 - CONFIDENCE


def proportion(right: NDArray[np.float64]) -> Interval:
    """The proportion of ones with Wilson's score interval (Wilson 1927), which is also valid near 0 and 1."""
    n, p = len(right), float(right.mean())
    spread = _Z**2 / n
    center = (p + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(p * (1 - p) / n + spread / (4 * n))
    return Interval(p, min(p, max(0.0, center - half)), max(p, min(1.0, center + half)))


def paired_proportions(before: NDArray[np.float64], after: NDArray[np.float64]) -> Difference:
    """`after` minus `before`, for right (1) and wrong (0) answers to the same samples.

    McNemar's exact test (two-sided), and the interval of Agresti and Min (2005), which adds a half to each count.
    """
    n = len(before)
    gained, lost = int(((after == 1) & (before == 0)).sum()), int(((after == 0) & (before == 1)).sum())
    b, c, total = gained + 0.5, lost + 0.5, n + 2
    center = (b - c) / total
    half = _Z * math.sqrt((b + c) - (b - c) ** 2 / total) / total
    value = (gained - lost) / n
    return Difference(value, min(value, center - half), max(value, center + half), _sign_test(gained, lost))


def _sign_test(gained: int, lost: int) -> float:
    """The two-sided probability that fair coins split at least as unevenly."""
    n, fewer = gained + lost, min(gained, lost)
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**n))


def bootstrap(value: Value, records: Records, seed: int = 0) -> Interval:
    """The metric with the percentile interval of `RESAMPLES` samples drawn with replacement."""
    found = [value(records[drawn]) for drawn in _draws(len(records), seed)]
    low, high = np.quantile(found, _ends())
    return Interval(value(records), float(low), float(high))


def paired_bootstrap(value: Value, before: Records, after: Records, seed: int = 0) -> Difference:
    """`after` minus `before`, with the same samples in each draw; the p-value is the share of draws on the other side
    of zero (Efron and Tibshirani 1993, ch. 16), but at least one draw.
    """
    found = np.asarray([value(after[drawn]) - value(before[drawn]) for drawn in _draws(len(before), seed)])
    low, high = np.quantile(found, _ends())
    below, above = float((found <= 0).mean()), float((found >= 0).mean())
    p_value = min(1.0, max(2 * min(below, above), 1 / RESAMPLES))
    return Difference(value(after) - value(before), float(low), float(high), p_value)


def _draws(n: int, seed: int) -> list[NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, n, n) for _ in range(RESAMPLES)]


def _ends() -> tuple[float, float]:
    return (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
