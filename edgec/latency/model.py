"""Evaluates a fitted predictor, with numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgec.latency.features import Features, Numbers
from edgec.latency.terms import INDEX, IS_RATE, PARAMETERS, ROLES, Format, Terms, terms


@dataclass(frozen=True)
class Factors:
    """The factors of a device: `scale` for everything, and one for each role."""

    scale: float = 1.0
    compute: float = 1.0
    bandwidth: float = 1.0
    overhead: float = 1.0

    def of(self, role: str) -> float:
        """The factor for one role's time."""
        return self.scale * {"compute": self.compute, "bandwidth": self.bandwidth, "overhead": self.overhead}[role]


@dataclass(frozen=True)
class OpTimes:
    """Milliseconds of each instruction by cause, and of the run besides them."""

    arithmetic: Numbers
    traffic: Numbers
    overhead: Numbers
    run: float

    @property
    def each(self) -> Numbers:
        """Milliseconds of each instruction."""
        total: Numbers = self.arithmetic + self.traffic + self.overhead
        return total

    @property
    def total(self) -> float:
        """Milliseconds of a run."""
        return float(self.each.sum()) + self.run

    def bound(self, index: int) -> str:
        """What dominates an instruction: `compute`, `bandwidth` or `overhead`."""
        parts = {"compute": self.arithmetic, "bandwidth": self.traffic, "overhead": self.overhead}
        return max(parts, key=lambda name: float(parts[name][index]))


def costs(parameters: Mapping[str, float], factors: Factors) -> Numbers:
    """Microseconds for one unit of each parameter's amount, in the order of `PARAMETERS`."""
    values = np.array([parameters[name] for name in PARAMETERS], float)
    own = np.array([factors.of(role) for role in ROLES])
    found: Numbers = np.where(IS_RATE, 1.0 / values, values) * own
    return found


def evaluate(features: Features, held: Format, parameters: Mapping[str, float], factors: Factors) -> OpTimes:
    """Milliseconds of a program's instructions."""
    found = terms(features, held)
    return times(found, costs(parameters, factors))


def shares(found: Terms, cost: Numbers) -> Numbers:
    """The share of each parameter in a run, in the order of `PARAMETERS`; the sum is 1."""
    spent = np.zeros(len(PARAMETERS))
    arithmetic = found.arithmetic * cost[found.arithmetic_by]
    streamed = found.weights * cost[INDEX["weights_gbs"]]
    by_compute = arithmetic >= streamed
    np.add.at(spent, found.arithmetic_by[by_compute], arithmetic[by_compute])
    spent[INDEX["weights_gbs"]] += streamed[~by_compute].sum()
    np.add.at(spent, found.moved_by, found.moved * cost[found.moved_by])
    np.add.at(spent, found.started_by, cost[found.started_by])
    spent[INDEX["spill_gbs"]] += found.spilled.sum() * cost[INDEX["spill_gbs"]]
    spent[INDEX["interface_gbs"]] += found.interface * cost[INDEX["interface_gbs"]]
    spent[INDEX["crossing_us"]] += found.crossings * cost[INDEX["crossing_us"]]
    spent[INDEX["run_us"]] += cost[INDEX["run_us"]]
    total: Numbers = spent / spent.sum()
    return total


def times(found: Terms, cost: Numbers) -> OpTimes:
    """Milliseconds of instructions with known terms."""
    arithmetic = found.arithmetic * cost[found.arithmetic_by]
    streamed = found.weights * cost[INDEX["weights_gbs"]]
    by_compute = arithmetic >= streamed
    moved = found.moved * cost[found.moved_by] + found.spilled * cost[INDEX["spill_gbs"]]
    beside = found.interface * cost[INDEX["interface_gbs"]] + found.crossings * cost[INDEX["crossing_us"]]
    run = float(beside + cost[INDEX["run_us"]])
    return OpTimes(
        np.where(by_compute, arithmetic, 0.0) * 1e-3,
        (np.where(by_compute, 0.0, streamed) + moved) * 1e-3,
        cost[found.started_by] * 1e-3,
        run * 1e-3,
    )
