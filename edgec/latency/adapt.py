"""A predictor told of a user's own measurements on one device.

The device's factor is estimated again: what the predictor says of it is the prior, each measurement counts by how sure
the prediction of its network is (a conjugate Gaussian in logarithms of milliseconds).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgec.latency.estimate import Estimate
from edgec.latency.predictor import OnDevice, Predictor

_OWN_SPREAD = 0.15
"""Standard deviation of a logarithm by which one unit of a product, its system and its heat differ from another."""


@dataclass(frozen=True)
class Own:
    """A measurement of the user's, in milliseconds, and what was predicted of the same program."""

    ms: float
    predicted: Estimate


def adapted(predictor: Predictor, device: str, own: Sequence[Own]) -> Predictor:
    """The predictor for this device alone, by its measurements, of which there is at least one."""
    known = predictor.devices[device]
    prior = math.hypot(known.widening, _OWN_SPREAD)
    weights = [1 / o.predicted.deviation**2 for o in own]
    certainty = 1 / prior**2 + sum(weights)
    shift = sum(w * math.log(o.ms / o.predicted.p50_ms) for w, o in zip(weights, own, strict=True)) / certainty
    factors = replace(known.factors, scale=known.factors.scale * math.exp(shift))
    widening = min(math.sqrt(1 / certainty), known.widening)
    source = f"measured: {len(own)} of the user's own; before: {known.source}"
    entry = OnDevice(factors, source, known.models + len(own), known.median_error, widening=widening)
    return replace(predictor, devices={device: entry})
