"""Prediction intervals: split-conformal, by network, on errors relative to the fit's uncertainty about a program.

The error of a network is that of a fit without any network of its architecture; divided by the standard deviation that
the fit itself expects, it is a score that is comparable for certain and uncertain predictions (Papadopoulos et al.,
"Inductive confidence machines for regression", ECML 2002). A network counts once, however many devices ran it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from edgec.latency.features import Numbers

COVERAGE = 0.9
"""The share of measurements that an interval should contain."""
FLOOR = 0.05
"""Minimum standard deviation of a logarithm of milliseconds of any fit: releases, thermal state, rounding."""


def deviation(share: Numbers, covariance: Numbers) -> float:
    """Standard deviation of the logarithm of a prediction, from the share of each parameter in it."""
    return math.sqrt(FLOOR**2 + max(float(share @ covariance @ share), 0.0))


def quantile(scores: Mapping[str, Sequence[float]]) -> float:
    """The conformal quantile of scores by network: the k-th smallest of n medians, k = ceil(0.9 (n + 1)), at most n."""
    each = sorted(float(np.median(found)) for found in scores.values())
    return each[min(math.ceil(COVERAGE * (len(each) + 1)), len(each)) - 1]
