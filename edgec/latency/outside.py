"""Detects programs unlike those that were measured; their prediction is marked accordingly."""

from __future__ import annotations

from collections.abc import Iterator

from edgec.latency.features import Features
from edgec.latency.model import OpTimes
from edgec.latency.predictor import Domain

_BEYOND = 2.0
"""Factor beyond the extremes of the measurements that is still considered close."""
_NOTABLE = 0.1
"""Share of a run from which on a kind of instruction matters."""
_UNSURE = 0.35
"""Standard deviation of a logarithm of milliseconds that indicates that the fit is uncertain."""


def kind_parts(features: Features, times: OpTimes) -> dict[str, float]:
    """The share of each kind of instruction in a run."""
    found: dict[str, float] = {}
    for kind, ms in zip(features.kinds, times.each, strict=True):
        found[str(kind)] = found.get(str(kind), 0.0) + float(ms) / times.total
    return found


def reasons(features: Features, times: OpTimes, deviation: float, domain: Domain) -> tuple[str, ...]:
    """Why a program is outside the domain of the measurements; empty if it is not."""
    return tuple(_reasons(features, times, deviation, domain))


def _reasons(features: Features, times: OpTimes, deviation: float, domain: Domain) -> Iterator[str]:
    for kind, part in kind_parts(features, times).items():
        known = domain.kinds.get(kind, 0.0)
        if part >= _NOTABLE and part > _BEYOND * known:
            seen = f"at most {known:.0%} of any measured network" if known else "no measured network has any"
            yield f"`{kind}` takes {part:.0%} of the time; {seen}"
    gmacs = float(features.macs.sum()) / 1e9
    if gmacs > _BEYOND * domain.most_gmacs:
        yield f"{gmacs:.1f} GMACs; the largest measured network has {domain.most_gmacs:.1f}"
    if gmacs * _BEYOND < domain.least_gmacs:
        yield f"{gmacs:.3f} GMACs; the smallest measured network has {domain.least_gmacs:.3f}"
    if len(features) > _BEYOND * domain.most_instructions:
        yield f"{len(features)} instructions; the longest measured network has {domain.most_instructions}"
    if features.crossings > _BEYOND * domain.most_crossings + 2:
        yield f"{features.crossings} changes of unit; at most {domain.most_crossings} in a measured network"
    if deviation > _UNSURE:
        yield f"its operators were hardly measured: the fit is unsure by a factor of {2.718**deviation:.1f}"
