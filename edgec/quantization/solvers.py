"""Computes scale and zero point from the statistics of a value, for a number format.

Symmetric and asymmetric formats are solved separately: deriving one from the other by rounding the zero point away
costs accuracy (symmetric int8 misses words that asymmetric int8 recognizes).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgec.calibration.statistics import Statistics
from edgec.quantization.parameters import Quantization
from edgec.spec.numerics import NumberFormat

Range = tuple[float, float]

_PARTS = np.linspace(1.0, 0.1, 91)
"""The fractions of a bound of the range that are tried as its bound."""

_TAIL = 1e-4
"""The share of values that `percentile` clips at each end."""

_LEAST_SCALE = 1e-30
"""The scale of a value that is always 0; the product of two such scales still fits float32."""


def solved(found: Statistics, form: NumberFormat, method: str = "mse") -> Quantization:
    """The quantization of a value, in which 0 is represented exactly.

    Raises `KeyError` for an unknown method.
    """
    return of_range(METHODS[method](found, form), form) if found.count else of_range((0.0, 0.0), form)


def of_range(ends: Range, form: NumberFormat) -> Quantization:
    """The quantization that covers the range and 0; if symmetric, equally far on either side."""
    least, most = form.limits
    low, high = min(ends[0], 0.0), max(ends[1], 0.0)
    if form.symmetric:
        middle = 0 if least < 0 else (most + 1) // 2
        scale = max(high / (most - middle), -low / (middle - least), _LEAST_SCALE)
        return Quantization((float(np.float32(scale)),), (middle,))
    scale = float(np.float32(max((high - low) / (most - least), _LEAST_SCALE)))
    zero = int(np.clip(round(least - low / scale), least, most))
    return Quantization((scale,), (zero,))


def _min_max(found: Statistics, form: NumberFormat) -> Range:
    """The full observed range."""
    return found.low, found.high


def _average(found: Statistics, form: NumberFormat) -> Range:
    """The mean of the samples' extremes, which limits the influence of outliers in a single sample."""
    return found.low_sum / found.samples, found.high_sum / found.samples


def _percentile(found: Statistics, form: NumberFormat) -> Range:
    """All but `_TAIL` of the values at each end."""
    edges, share = found.histogram.edges, np.cumsum(found.histogram.counts) / found.count
    first = int(np.searchsorted(share, _TAIL, side="right"))
    last = int(np.searchsorted(share, 1 - _TAIL, side="left"))
    return max(float(edges[first]), found.low), min(float(edges[last + 1]), found.high)


def _least_squares(found: Statistics, form: NumberFormat) -> Range:
    """The range with the least sum of squared errors: scale²/12 inside of it, the squared distance outside.

    Zeros are exact. (Choukroun et al., "Low-bit quantization of neural networks for efficient inference", 2019, use the
    same search.)
    """
    tails = _Tails(found)
    least, most = form.limits
    low, high = min(found.low, 0.0), max(found.high, 0.0)
    if form.symmetric:
        ends = _PARTS * max(-low, high)
        error = tails.inside(-ends, ends, 2 * ends / (most - least)) + tails.beyond(-ends, ends)
        best = float(ends[int(np.argmin(error))])
        return -best, best
    lows, highs = (a.reshape(-1) for a in np.meshgrid(low * _PARTS, high * _PARTS))
    error = tails.inside(lows, highs, (highs - lows) / (most - least)) + tails.beyond(lows, highs)
    best_of_both = int(np.argmin(error))
    return float(lows[best_of_both]), float(highs[best_of_both])


class _Tails:
    """Cumulative sums over a histogram, by which the error of a range is computed without a pass over the bins."""

    def __init__(self, found: Statistics) -> None:
        histogram = found.histogram
        self._width, self._first = histogram.width, float(histogram.edges[0])
        centers = np.clip(histogram.edges[:-1] + histogram.width / 2, found.low, found.high)
        weights = histogram.counts.astype(np.float64)
        self._sums = [np.concatenate([[0.0], np.cumsum(weights * centers**k)]) for k in range(3)]
        self._zeros = float(found.zeros)

    def _place(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        places = np.rint((x - self._first) / self._width).astype(np.int64)
        return np.clip(places, 0, len(self._sums[0]) - 1)

    def inside(
        self, low: NDArray[np.float64], high: NDArray[np.float64], scale: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The squared rounding errors inside the range, at most the squares of the values, since 0 is exact."""
        below, above = self._place(low), self._place(high)
        count = self._sums[0][above] - self._sums[0][below] - self._zeros
        squares = self._sums[2][above] - self._sums[2][below]
        return np.asarray(np.minimum(np.maximum(count, 0) * scale**2 / 12, np.maximum(squares, 0)))

    def beyond(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
        """The squared distances of the values outside the range."""
        below, above = self._place(low), self._place(high)
        n, s, q = (sums[below] for sums in self._sums)
        error = q - 2 * low * s + low**2 * n
        n, s, q = (sums[-1] - sums[above] for sums in self._sums)
        return np.asarray(np.maximum(error, 0) + np.maximum(q - 2 * high * s + high**2 * n, 0))


METHODS: dict[str, Callable[[Statistics, NumberFormat], Range]] = {
    "mse": _least_squares,
    "min-max": _min_max,
    "average": _average,
    "percentile": _percentile,
}
"""The methods by their name in a target's `numerics.calibration`."""
