"""The predicted latency of a program on a device, for manifests and forecasts."""

from __future__ import annotations

from edgec.artifact.manifest import Latency
from edgec.backends.base import Backend, Program
from edgec.latency.estimate import Estimate, choose, estimate
from edgec.latency.features import features
from edgec.latency.predictor import predictors_of
from edgec.spec.device import load_device
from edgec.spec.target import Target


def runs(device: str, target: Target) -> bool:
    """Whether a device has a predictor for a target's backend. Raises `EdgecError` E0105 for an unknown device."""
    load_device(device)
    return any(p.backend == target.backend for p in predictors_of(device))


def estimated(chosen: Backend, program: Program, target: Target, device: str, unit: str | None = None) -> Estimate:
    """Predict a program on a device and unit. Raises `EdgecError` E0702 if there is no predictor."""
    found = features(program, chosen.work)
    predictor = choose(device, target.backend, quantized=found.is_quantized, unit=unit)
    crossings = chosen.crossings(program, target, predictor.unit)
    return estimate(found.crossing(crossings), predictor, device)


def alternatives(chosen: Backend, program: Program, target: Target, first: Estimate) -> list[Estimate]:
    """The same program by the device's other predictors for this backend: other units and precisions."""
    found = features(program, chosen.work)
    others = [p for p in predictors_of(first.device) if p.backend == target.backend and p.name != first.predictor.name]
    return [estimate(found.crossing(chosen.crossings(program, target, p.unit)), p, first.device) for p in others]


def predicted(chosen: Backend, program: Program, target: Target, device: str | None) -> tuple[Latency, ...]:
    """The latency on the given device, else on the target's first; none if the target names no device."""
    name = device or (target.devices[0] if target.devices else None)
    return () if name is None else (as_latency(estimated(chosen, program, target, name)),)


def as_latency(found: Estimate) -> Latency:
    """A prediction in the form of a manifest."""
    return Latency(
        found.device,
        "predicted",
        found.p50_ms,
        found.low_ms,
        found.high_ms,
        found.method,
        found.confidence,
        found.reasons,
    )
