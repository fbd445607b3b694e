"""Candidates ranked by predicted latency, with the places where the order is not significant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgec.artifact.manifest import Latency
from edgec.backends.table import backend
from edgec.compiler.forecast import Asked, devices_for
from edgec.compiler.latency import as_latency, estimated
from edgec.compiler.options import Progress, options_of, targets_of
from edgec.compiler.range_samples import within_ranges
from edgec.compiler.stages import lower, prepare
from edgec.diag import error
from edgec.frontend.requested import sources_of
from edgec.latency.estimate import Estimate, differs
from edgec.spec.project import ModelRequest


@dataclass(frozen=True)
class Ranked:
    """A candidate and its prediction. `is_slower`: significantly, than the candidate before it."""

    source: str
    latency: Latency
    is_slower: bool


def rank(models: Sequence[ModelRequest], asked: Asked, progress: Progress) -> list[Ranked]:
    """Predict several models on one device, the fastest first.

    Raises `EdgecError` E0101 unless there are one target and one device, and as `predict_model` does.
    """
    found = sorted(((model.source, _estimate(model, asked, progress)) for model in models), key=lambda f: f[1].p50_ms)
    before = [None, *(estimate for _, estimate in found)]
    return [
        Ranked(source, as_latency(now), last is not None and differs(last, now))
        for (source, now), last in zip(found, before, strict=False)
    ]


def _estimate(model: ModelRequest, asked: Asked, progress: Progress) -> Estimate:
    if len(model.target) != 1:
        raise error("E0101", "a ranking is for one target", help=["add one `--target`; `edgec targets` lists them"])
    sources = sources_of(model)
    options = options_of(model, sources)
    (target,) = targets_of(model.target, options)
    devices = devices_for(target, asked.devices)
    if len(devices) != 1:
        raise error("E0101", "a ranking is for one device", help=["add one `--device`"])
    prepared, _ = within_ranges(prepare(sources.main, options, progress), target)
    chosen = backend(target.backend, options.via)
    return estimated(chosen, lower(prepared, target, chosen).program, target, devices[0], asked.unit)
