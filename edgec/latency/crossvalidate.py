"""How good a fit is on networks of architectures that it has not seen, and the predictor that it makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgec.latency.families import Family, architecture
from edgec.latency.features import Features, Numbers
from edgec.latency.fit import Fitted, Sample, fit
from edgec.latency.interval import deviation, quantile
from edgec.latency.model import Factors, costs, evaluate, shares
from edgec.latency.outside import kind_parts
from edgec.latency.predictor import Domain, OnDevice, Predictor, Quality
from edgec.latency.terms import terms

LEAST_NETWORKS = 5
"""Networks from which on a device is judged."""
_LOST = 8.0
"""A row that a fit misses by more than this factor did not run where it says: a fall-back, or an error of the table."""

Programs = Mapping[str, Features]


@dataclass(frozen=True)
class HeldOut:
    """A measurement, its prediction by a fit without its architecture, and how sure that fit was (logarithm)."""

    sample: Sample
    ms: float
    deviation: float

    @property
    def error(self) -> float:
        """Logarithm of predicted over measured."""
        return math.log(self.ms / self.sample.ms)

    @property
    def relative(self) -> float:
        """The size of the relative error."""
        return abs(self.ms / self.sample.ms - 1)


@dataclass(frozen=True)
class Trained:
    """A predictor with what it was judged by, and the rows that no fit explains."""

    predictor: Predictor
    held_out: list[HeldOut]
    left_out: list[Sample]


def train(family: Family, samples: Sequence[Sample], programs: Programs, told: Callable[[str], None]) -> Trained:
    """Fit a family and judge it."""
    first = fit(samples, programs, family.format, family.prior)
    lost = [s for s in samples if abs(math.log(_ms(first, s, programs, family) / s.ms)) > math.log(_LOST)]
    kept = [s for s in samples if s not in lost]
    whole = fit(kept, programs, family.format, family.prior, first)
    held_out = cross_validate(family, kept, programs, whole)
    told(f"{family.name}: {len({s.network for s in kept})} networks, {len(kept)} measurements")
    scores: dict[str, list[float]] = {}
    for h in held_out:
        scores.setdefault(h.sample.network, []).append(abs(h.error) / h.deviation)
    q = quantile(scores)
    devices = {name: _on_device(name, factors, held_out, family) for name, factors in whole.devices.items()}
    predictor = Predictor(
        family.name,
        family.backend,
        family.unit,
        family.precision,
        family.sources,
        family.format,
        whole.parameters,
        whole.covariance,
        q,
        quality(held_out, scores),
        _domain(family, kept, programs, whole),
        devices,
    )
    return Trained(predictor, held_out, lost)


def cross_validate(family: Family, samples: Sequence[Sample], programs: Programs, whole: Fitted) -> list[HeldOut]:
    """Predict each architecture by a fit of all others, on devices that ran enough networks to know their factor."""
    found = []
    ran: dict[str, set[str]] = {}
    for s in samples:
        ran.setdefault(s.device, set()).add(s.network)
    for name in sorted({architecture(s.network) for s in samples}):
        rest = [s for s in samples if architecture(s.network) != name]
        if not rest:
            continue
        other = fit(rest, programs, family.format, family.prior, whole)
        for s in samples:
            if architecture(s.network) == name and len(ran[s.device]) >= LEAST_NETWORKS and s.device in other.devices:
                used = terms(programs[s.network], family.format)
                cost = costs(other.parameters, other.devices[s.device])
                unsure = deviation(shares(used, cost), other.covariance)
                found.append(HeldOut(s, _ms(other, s, programs, family), unsure))
    return found


def _ms(fitted: Fitted, sample: Sample, programs: Programs, family: Family) -> float:
    factors = fitted.devices[sample.device]
    return evaluate(programs[sample.network], family.format, fitted.parameters, factors).total


def quality(held_out: Sequence[HeldOut], scores: Mapping[str, Sequence[float]]) -> Quality:
    """Errors of held-out predictions; each network's coverage by the quantile of the others."""
    errors = np.array([h.relative for h in held_out])
    inside, widths = [], []
    for h in held_out:
        q = quantile({name: s for name, s in scores.items() if name != h.sample.network} or scores)
        reach = q * h.deviation
        inside.append(abs(h.error) <= reach)
        widths.append(math.sinh(reach))
    return Quality(
        len(scores),
        len(held_out),
        float(np.median(errors)),
        float(np.mean(errors <= 0.25)),
        spearman([h.ms for h in held_out], [h.sample.ms for h in held_out]),
        float(np.mean(inside)),
        float(np.median(widths)),
    )


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's rank correlation, ties by their mean rank."""
    if len(first) < 2:
        return 0.0
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: Sequence[float]) -> Numbers:
    array = np.asarray(values, float)
    below = (array[:, None] > array[None]).sum(1)
    same = (array[:, None] == array[None]).sum(1)
    ranks: Numbers = below + (same - 1) / 2
    return ranks


def _on_device(name: str, factors: Factors, held_out: Sequence[HeldOut], family: Family) -> OnDevice:
    mine = [h for h in held_out if h.sample.device == name]
    networks = len({h.sample.network for h in mine})
    error = float(np.median([h.relative for h in mine])) if mine else 0.0
    return OnDevice(factors, "fitted: " + "; ".join(family.sources), networks, error)


def _domain(family: Family, samples: Sequence[Sample], programs: Programs, whole: Fitted) -> Domain:
    kinds: dict[str, float] = {}
    for s in samples:
        found = programs[s.network]
        spent = evaluate(found, family.format, whole.parameters, whole.devices[s.device])
        for kind, part in kind_parts(found, spent).items():
            kinds[kind] = max(kinds.get(kind, 0.0), part)
    networks = [programs[name] for name in {s.network for s in samples}]
    gmacs = [float(p.macs.sum()) / 1e9 for p in networks]
    return Domain(
        dict(sorted(kinds.items())),
        min(gmacs),
        max(gmacs),
        max(map(len, networks)),
        max(p.crossings for p in networks),
    )
