"""A prediction: milliseconds, the interval that contains 90 % of measurements, and its confidence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgec.diag import error
from edgec.latency.features import Features, Numbers
from edgec.latency.interval import FLOOR, deviation
from edgec.latency.model import OpTimes, costs, shares, times
from edgec.latency.outside import reasons
from edgec.latency.predictor import Predictor, predictors_of
from edgec.latency.terms import terms

_TWO_SIDED = 1.645
"""Standard deviations of a Gaussian that contain 90 % of values."""

FITTED, EXTRAPOLATED, OUTSIDE = "fitted", "extrapolated", "outside"


@dataclass(frozen=True)
class Estimate:
    """Milliseconds of one run at the batch size of the build.

    `confidence`: `fitted` to measurements on this device, `extrapolated` from another device, or `outside` of
    everything that was measured, for the given `reasons`. `deviation`: standard deviation of the logarithm.
    `shares`: the share of each parameter in the run.
    """

    device: str
    predictor: Predictor
    p50_ms: float
    low_ms: float
    high_ms: float
    deviation: float
    confidence: str
    reasons: tuple[str, ...]
    times: OpTimes
    shares: Numbers

    @property
    def method(self) -> str:
        """How it was predicted, in one line: unit, precision, evidence."""
        p, own = self.predictor, self.predictor.devices[self.device]
        behind = f"extrapolated from {own.borrowed}" if own.borrowed else f"fitted on {own.models} networks"
        return f"{p.unit} in {p.precision}, {behind}" + (", outside of what was measured" if self.reasons else "")


def estimate(features: Features, predictor: Predictor, device: str) -> Estimate:
    """Predict one program on one device of the predictor."""
    own = predictor.devices[device]
    used, cost = terms(features, predictor.format), costs(predictor.parameters, own.factors)
    spent = times(used, cost)
    parts = shares(used, cost)
    unsure = deviation(parts, predictor.covariance)
    why = reasons(features, spent, unsure, predictor.domain)
    confidence = OUTSIDE if why else EXTRAPOLATED if own.borrowed else FITTED
    reach = math.exp(math.hypot(predictor.quantile * unsure, _TWO_SIDED * own.widening))
    total = spent.total
    return Estimate(device, predictor, total, total / reach, total * reach, unsure, confidence, why, spent, parts)


def choose(device: str, backend: str, *, quantized: bool, unit: str | None = None) -> Predictor:
    """The predictor for a program of a backend on a device: for the given unit, in the program's precision.

    If there is none in that precision, the unit's first is used: `Estimate.method` gives its precision.
    Raises `EdgecError` E0702 if the device has none.
    """
    known = predictors_of(device)
    fitting = [p for p in known if p.backend == backend and unit in (None, p.unit)]
    if not fitting:
        has = ", ".join(f"{p.backend} on {p.unit}" for p in known) or "none"
        wanted = f"{backend} on {unit}" if unit else backend
        raise error("E0702", f"device `{device}` has no predictor for {wanted}", notes=[f"it has {has}"])
    order = ("npu", "gpu", "cpu")
    ranked = sorted(fitting, key=lambda p: ((p.precision == "int8") != quantized, order.index(p.unit)))
    return ranked[0]


def differs(first: Estimate, second: Estimate) -> bool:
    """Whether the order of two programs on one device is significant: an uncertainty that both share cancels."""
    p = first.predictor
    apart = math.hypot(deviation(first.shares - second.shares, p.covariance), FLOOR)
    return abs(math.log(first.p50_ms / second.p50_ms)) > p.quantile * apart
