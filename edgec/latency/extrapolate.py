"""Extrapolates predictors to devices without measurements from the most similar device, and marks them as such."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median

from edgec.latency.families import Family
from edgec.latency.model import Factors
from edgec.latency.predictor import OnDevice
from edgec.latency.tables import Measured
from edgec.spec.device import DeviceProfile

_EXPONENT = 0.7
"""Exponent of a ratio of peaks: peaks are advertised, and small networks do not reach them."""
_LEAST_WIDENING = 0.25
"""Standard deviation of a logarithm that is added if only hardware facts relate one device to another."""
_KIN_WIDENING = 0.1
"""The same if both devices were measured on the same networks with another runtime."""

Known = Mapping[str, OnDevice]


def by_kin(family: Family, measured: Sequence[Measured], known: Known) -> dict[str, OnDevice]:
    """Devices compared with a known one under another runtime, by the median ratio of times on the same networks."""
    rows: dict[str, dict[object, float]] = {}
    for m in measured:
        if (m.runtime, m.precision) == family.kin and m.device in family.devices:
            rows.setdefault(family.devices[m.device], {})[m.network] = m.ms
    found = {}
    for name, own in rows.items():
        if name in known:
            continue
        shared = {k: len(own.keys() & rows[k].keys()) for k in rows if k in known}
        neighbour = max(shared, key=lambda k: shared[k], default=None)
        if neighbour is not None and shared[neighbour]:
            ratio = median(own[n] / rows[neighbour][n] for n in own.keys() & rows[neighbour].keys())
            factors = replace(known[neighbour].factors, scale=known[neighbour].factors.scale * ratio)
            how = f"extrapolated: {neighbour} times {ratio:.3g}, the median over {shared[neighbour]} networks that "
            how += f"both ran under {family.kin[0]}"
            found[name] = OnDevice(factors, how, borrowed=neighbour, widening=_KIN_WIDENING)
    return found


def by_hardware(family: Family, profiles: Iterable[DeviceProfile], known: Known) -> dict[str, OnDevice]:
    """Profiles with the family's engine but no measurements, each from the most similar known device."""
    every = [p for p in profiles if set(p.targets) & set(family.runs) and any(u.name == family.engine for u in p.units)]
    origins = [p for p in every if p.name in known]
    if not origins:
        return {}
    widening = _widening(family, origins, known)
    found = {}
    for profile in every:
        if profile.name not in known:
            origin = min(origins, key=lambda o: _distance(family, profile, o))
            found[profile.name] = _carried(family, profile, origin, known[origin.name], widening)
    return found


def _carried(family: Family, to: DeviceProfile, origin: DeviceProfile, own: OnDevice, widening: float) -> OnDevice:
    compute, bandwidth = (r**-_EXPONENT for r in _ratios(family, to, origin))
    f = own.factors
    factors = Factors(f.scale, f.compute * compute, f.bandwidth * bandwidth, f.overhead)
    how = f"extrapolated: {origin.name}, arithmetic times {compute:.3g} and traffic times {bandwidth:.3g} by the facts "
    how += "in both profiles"
    return OnDevice(factors, how, borrowed=origin.name, widening=math.hypot(widening, own.widening))


def _ratios(family: Family, to: DeviceProfile, origin: DeviceProfile) -> tuple[float, float]:
    """Ratios of peak arithmetic of the engine and of memory bandwidth to the origin's; 1 if a profile has no figure."""
    peaks = [next((u.peak_gmacs for u in p.units if u.name == family.engine), None) for p in (to, origin)]
    bandwidths = [p.memory.get("bandwidth_gbs") for p in (to, origin)]
    first, second = peaks
    compute = first.value / second.value if first and second else 1.0
    third, fourth = bandwidths
    return compute, third.value / fourth.value if third and fourth else 1.0


def _distance(family: Family, to: DeviceProfile, origin: DeviceProfile) -> tuple[float, str]:
    compute, bandwidth = _ratios(family, to, origin)
    vendor = 0.0 if to.vendor == origin.vendor else 0.1
    return abs(math.log(compute)) + abs(math.log(bandwidth)) + vendor, origin.name


def _widening(family: Family, origins: Sequence[DeviceProfile], known: Known) -> float:
    """Error of this rule among measured devices: root mean square of logarithms, each from its most similar device."""
    errors = []
    for p in origins:
        others = [o for o in origins if o.name != p.name]
        if others:
            origin = min(others, key=lambda o: _distance(family, p, o))
            compute, bandwidth = _ratios(family, p, origin)
            expected = -_EXPONENT * (math.log(compute) + math.log(bandwidth)) / 2
            errors.append(_level(known[p.name].factors) - _level(known[origin.name].factors) - expected)
    spread = math.sqrt(sum(e * e for e in errors) / len(errors)) if errors else 2 * _LEAST_WIDENING
    return max(spread, _LEAST_WIDENING)


def _level(factors: Factors) -> float:
    return math.log(factors.scale) + (math.log(factors.compute) + math.log(factors.bandwidth)) / 2
