"""Latency predicted from what each instruction costs, first version: a roofline for each instruction.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009, with a fixed
cost for each instruction and each run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgec.diag import error
from edgec.spec.device import DeviceProfile, Roofline


@dataclass(frozen=True)
class Cost:
    """What one instruction does: multiply-accumulates, and bytes read and written."""

    macs: int
    bytes: int


@dataclass(frozen=True)
class Prediction:
    """Milliseconds for one run at batch as built; the truth is expected between `low_ms` and `high_ms`."""

    p50_ms: float
    low_ms: float
    high_ms: float
    method: str


def predict(costs: Sequence[Cost], device: DeviceProfile, backend: str) -> Prediction:
    """Predict a run of a program. Raises `EdgecError` E0702 when the device has no model for this backend."""
    model = device.latency.get(backend)
    if model is None:
        known = ", ".join(device.latency) or "none"
        raise error("E0702", f"device `{device.name}` has no latency model for {backend}", notes=[f"it has {known}"])
    total = model.fixed_ms.value + sum(instruction_ms(cost, model) for cost in costs)
    spread = model.spread.value
    return Prediction(total, total / spread, total * spread, f"roofline on {model.unit}")


def instruction_ms(cost: Cost, model: Roofline) -> float:
    """Milliseconds of one instruction."""
    arithmetic = cost.macs / (model.gmacs.value * 1e6)
    traffic = cost.bytes / (model.bandwidth_gbs.value * 1e6)
    return model.overhead_us.value * 1e-3 + max(arithmetic, traffic)
