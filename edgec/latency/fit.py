"""Fits a predictor to measurements: shared parameters, and factors for each device.

The logarithms of all parameters are estimated jointly by penalized least squares (Levenberg-Marquardt) on the
logarithms of milliseconds: a Gaussian around each prior value, and a pseudo-Huber loss, so that a row that the model
cannot explain does not distort the others. Rows of one network count together as little more than one, however many
devices ran it, since their errors are correlated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgec.latency.features import Features, Numbers
from edgec.latency.model import Factors
from edgec.latency.terms import INDEX, IS_RATE, PARAMETERS, ROLES, Format, Terms, terms

_ROLES = ("compute", "bandwidth", "overhead")
_HUBER = 1.0
"""Standard deviations beyond which a row has less weight."""
_SCALE_SD = 1.5
"""Standard deviation of logarithms by which devices differ overall."""
_STEPS = 60


@dataclass(frozen=True)
class Sample:
    """One measurement: milliseconds of a network (by key) on a device."""

    network: str
    device: str
    ms: float


@dataclass(frozen=True)
class Prior:
    """The expected value of each parameter, and its uncertainty (standard deviation of the logarithm)."""

    values: Mapping[str, float]
    deviations: Mapping[str, float]
    apart: float = 0.1
    """Standard deviation of logarithms by which devices differ in one role relative to the others."""
    noise: float = 0.1
    """Standard deviation of the remaining error of a logarithm of milliseconds if the model is right."""


@dataclass(frozen=True)
class Fitted:
    """Parameters of a runtime and the factors of each device."""

    parameters: dict[str, float]
    devices: dict[str, Factors]
    vector: Numbers = field(repr=False)
    covariance: Numbers = field(repr=False)
    """Of the logarithms of costs on a device, by `PARAMETERS` (Laplace approximation; the mean over devices)."""


class _Problem:
    """Predictions of all samples and their derivatives, for one vector of logarithms."""

    def __init__(self, samples: Sequence[Sample], programs: Mapping[str, Terms], prior: Prior, devices: list[str]):
        self.networks = sorted({s.network for s in samples})
        self.devices = devices
        found = [programs[name] for name in self.networks]
        self.owner = np.repeat(np.arange(len(found)), [len(t) for t in found])
        self.joined = _joined(found)
        self.linear = self._linear(found)
        self.count = len(PARAMETERS)
        row = {name: i for i, name in enumerate(self.networks)}
        times_measured = Counter(s.network for s in samples)
        self.rows = np.array([row[s.network] for s in samples])
        self.device = np.array([devices.index(s.device) for s in samples])
        self.logs = np.log([s.ms for s in samples])
        self.weight = 1 / (prior.noise * np.sqrt([times_measured[s.network] for s in samples]))
        sign = np.where(IS_RATE, -1.0, 1.0)  # the vector holds logarithms of costs
        own = len(devices) * (1 + len(_ROLES))
        self.mean = np.concatenate([sign * np.log([prior.values[p] for p in PARAMETERS]), np.zeros(own)])
        deviations = [prior.deviations.get(p.rpartition("_")[2], 0.8) for p in PARAMETERS]
        deviations = [prior.deviations.get(p, d) for p, d in zip(PARAMETERS, deviations, strict=True)]
        spread = [_SCALE_SD] * len(devices) + [prior.apart] * (len(devices) * len(_ROLES))
        self.spread = np.array([*deviations, *spread])
        self.role = np.array([_ROLES.index(r) for r in ROLES])

    def _linear(self, found: Sequence[Terms]) -> Numbers:
        """All terms except the roofline of products: amounts by network and parameter."""
        total = np.zeros((len(found), len(PARAMETERS)))
        for row, t in zip(total, found, strict=True):
            np.add.at(row, t.moved_by, t.moved)
            np.add.at(row, t.started_by, 1.0)
            row[INDEX["spill_gbs"]] += t.spilled.sum()
            row[INDEX["interface_gbs"]] += t.interface
            row[INDEX["crossing_us"]] += t.crossings
            row[INDEX["run_us"]] += 1.0
        return total

    def shares(self, vector: Numbers, device: int) -> Numbers:
        """Milliseconds by network and parameter on one device."""
        first = self.count + len(self.devices) + device * len(_ROLES)
        own = vector[first : first + len(_ROLES)]
        cost = np.exp(np.clip(vector[: self.count] + own[self.role] + vector[self.count + device], -40, 40))
        arithmetic, by, streamed = self.joined
        computed = arithmetic * cost[by]
        waited = streamed * cost[INDEX["weights_gbs"]]
        longer = np.where(computed >= waited, by, INDEX["weights_gbs"])
        shape = (len(self.networks), self.count)
        products = np.bincount(self.owner * self.count + longer, np.maximum(computed, waited), shape[0] * shape[1])
        total: Numbers = (self.linear * cost + products.reshape(shape)) * 1e-3
        return total

    def residuals(self, vector: Numbers) -> tuple[Numbers, Numbers]:
        """Weighted residuals, followed by those of the prior, and their derivatives."""
        values = np.empty(len(self.rows))
        slopes = np.zeros((len(self.rows), len(vector)))
        roles = np.eye(len(_ROLES))[self.role]
        for device in range(len(self.devices)):
            here = self.device == device
            by = self.shares(vector, device)[self.rows[here]]
            total = by.sum(1)
            part = by / total[:, None]
            values[here] = (np.log(total) - self.logs[here]) * self.weight[here]
            first = self.count + len(self.devices) + device * len(_ROLES)
            block = np.zeros((len(total), len(vector)))
            block[:, : self.count] = part
            block[:, self.count + device] = 1.0
            block[:, first : first + len(_ROLES)] = part @ roles
            slopes[here] = block * self.weight[here][:, None]
        root = np.sqrt(1 + (values / _HUBER) ** 2)
        softened = _HUBER * np.sign(values) * np.sqrt(2 * (root - 1))
        slope = np.where(np.abs(values) < 1e-9, 1.0, values / np.where(softened == 0, 1.0, softened) / root)
        behind = (vector - self.mean) / self.spread
        return np.concatenate([softened, behind]), np.vstack([slopes * slope[:, None], np.diag(1 / self.spread)])


def _joined(found: Sequence[Terms]) -> tuple[Numbers, Numbers, Numbers]:
    return (
        np.concatenate([t.arithmetic for t in found]),
        np.concatenate([t.arithmetic_by for t in found]),
        np.concatenate([t.weights for t in found]),
    )


def fit(
    samples: Sequence[Sample], programs: Mapping[str, Features], held: Format, prior: Prior, start: Fitted | None = None
) -> Fitted:
    """Estimate parameters and factors. `start`: an earlier fit of the same devices, as the initial value."""
    devices = sorted({s.device for s in samples})
    used = {name: terms(programs[name], held) for name in {s.network for s in samples}}
    problem = _Problem(samples, used, prior, devices)
    begin = start.vector if start is not None and list(start.devices) == devices else problem.mean
    vector = _levenberg_marquardt(problem, begin)
    sign = np.where(IS_RATE, -1.0, 1.0)
    values = np.exp(sign * vector[: problem.count])
    own = np.exp(vector[problem.count :])
    roles = own[len(devices) :].reshape(len(devices), len(_ROLES))
    factors = {name: Factors(float(own[i]), *map(float, roles[i])) for i, name in enumerate(devices)}
    parameters = {p: float(v) for p, v in zip(PARAMETERS, values, strict=True)}
    return Fitted(parameters, factors, vector, _covariance(problem, vector))


def _covariance(problem: _Problem, vector: Numbers) -> Numbers:
    _, slopes = problem.residuals(vector)
    whole = np.linalg.inv(slopes.T @ slopes)
    total = np.zeros((problem.count, problem.count))
    for device in range(len(problem.devices)):
        first = problem.count + len(problem.devices) + device * len(_ROLES)
        onto = np.zeros((problem.count, len(vector)))
        onto[:, : problem.count] = np.eye(problem.count)
        onto[:, problem.count + device] = 1.0
        onto[:, first : first + len(_ROLES)] = np.eye(len(_ROLES))[problem.role]
        total += onto @ whole @ onto.T / len(problem.devices)
    return total


def _levenberg_marquardt(problem: _Problem, vector: Numbers) -> Numbers:
    """Marquardt, SIAM J. 11(2), 1963, with a fixed schedule of damping."""
    damping, (values, slopes) = 1e-2, problem.residuals(vector)
    loss = float(values @ values)
    for _ in range(_STEPS):
        normal, gradient = slopes.T @ slopes, slopes.T @ values
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -gradient)
        values_then, slopes_then = problem.residuals(vector + step)
        then = float(values_then @ values_then)
        if then >= loss:
            damping *= 4
            if damping > 1e8:
                break
            continue
        gained = loss - then
        vector, values, slopes, loss, damping = vector + step, values_then, slopes_then, then, damping / 3
        if gained < 1e-5 * max(loss, 1.0):
            break
    return vector
