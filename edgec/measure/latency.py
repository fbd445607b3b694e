"""Latency measured on this machine: single runs, timed individually after a warm-up."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgec.measure.arrays import Array
from edgec.runners.base import Runner

WARM_UP = 3
"""Untimed runs before the first timed one, for allocation, weight packing and caches."""


@dataclass(frozen=True)
class Measurement:
    """Milliseconds of `runs` single runs: median, 10th and 90th percentile, least."""

    runner: str
    runs: int
    p50_ms: float
    p10_ms: float
    p90_ms: float
    least_ms: float


def measure(runner: Runner, inputs: Mapping[str, Array], runs: int) -> Measurement:
    """Time `runs` runs. Raises what the runner raises."""
    for _ in range(WARM_UP):
        runner.run(inputs)
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        runner.run(inputs)
        seconds.append(time.perf_counter() - start)
    low, middle, high = (float(q) * 1e3 for q in np.quantile(seconds, (0.1, 0.5, 0.9)))
    return Measurement(runner.name, runs, middle, low, high, min(seconds) * 1e3)
