"""Intervals that hold: split-conformal, by network, on errors relative to how sure the fit is of a program.

The error of a network is measured by a fit that has seen no network of its architecture; divided by the standard
deviation that the fit itself expects, it is a score that is alike for sure and unsure predictions (Papadopoulos et
al., "Inductive confidence machines for regression", ECML 2002). A network counts once, however many devices ran it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from edgec.latency.features import Numbers

COVERAGE = 0.9
"""The part of measurements that an interval is to hold."""
FLOOR = 0.07
"""Standard deviation of a logarithm of milliseconds that no fit gets below: releases, thermal state, rounding."""


def deviation(share: Numbers, covariance: Numbers) -> float:
    """Standard deviation of the logarithm of a prediction, from each parameter's part of it."""
    return math.sqrt(FLOOR**2 + max(float(share @ covariance @ share), 0.0))


def quantile(scores: Mapping[str, Sequence[float]]) -> float:
    """The conformal quantile of scores by network: the k-th smallest of n medians, k = ceil(0.9 (n + 1)), at most n."""
    each = sorted(float(np.median(found)) for found in scores.values())
    return each[min(math.ceil(COVERAGE * (len(each) + 1)), len(each)) - 1]
