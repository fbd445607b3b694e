"""What was measured on a device, and how: never what was predicted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgec.devices.conditions import Watch
from edgec.devices.engine import Plan, Timed
from edgec.devices.facts import Identity, State
from edgec.devices.runner import DeviceRunner
from edgec.devices.transport import lost
from edgec.diag import error

TRIES = 5
"""Loads of the model, each with a warm-up, over which the runs are spread."""
SPREAD = 0.05
"""The spread of the tries' medians, (largest - least) / middle, above which a measurement is called unstable."""
_DISCARDED = 3
"""Tries that may be thrown away because the device became too hot in them."""


@dataclass(frozen=True)
class Amount:
    """How much is measured, over all tries: single runs until there are `runs` or `seconds` have passed."""

    warm_up: int = 10
    runs: int = 1024
    seconds: float = 60.0

    def plan(self) -> Plan:
        """One try's share."""
        return Plan(self.warm_up, math.ceil(self.runs / TRIES), self.seconds / TRIES)


@dataclass(frozen=True)
class Statistics:
    """Milliseconds over all runs of all tries.

    Where the tool gives no single runs, `p50_ms` is the middle of the tries' medians, or None where it tells none, and
    `p90_ms` and `p99_ms` are None. `tries_ms` holds each try's median (mean, where there is no median); `spread` is
    (largest - least) / middle of these.
    """

    runs: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    mean_ms: float
    least_ms: float
    largest_ms: float
    tries_ms: tuple[float, ...]
    spread: float
    stable: bool
    init_ms: float | None
    first_ms: float | None


@dataclass(frozen=True)
class Measurement:
    """The times of one artifact on one unit of one device, with the conditions under which they were taken.

    `device` is its profile's name, or its address. `before` and `after` are its states around the tries; `discarded`
    tries became too hot. `samples_ms` holds every single run, tries one behind the other.
    """

    device: str
    address: str
    unit: str
    threads: int
    runtime: str
    delegate: str
    amount: Amount
    statistics: Statistics
    identity: Identity
    before: State
    after: State
    discarded: int
    samples_ms: NDArray[np.float64]

    def document(self) -> dict[str, Any]:
        """Everything but the samples, for JSON."""
        table = {key: value for key, value in asdict(self).items() if key not in ("samples_ms", "statistics")}
        return {**table, **asdict(self.statistics)}


def statistics_of(tries: Sequence[Timed]) -> Statistics:
    """Put tries together, of which there is at least one."""
    samples = np.concatenate([one.samples_ms for one in tries])
    runs = sum(one.runs for one in tries)
    known = [one.median_ms for one in tries if one.median_ms is not None]
    middles = known if len(known) == len(tries) else [one.mean_ms for one in tries]
    spread = (max(middles) - min(middles)) / float(np.median(middles))
    p50 = float(np.median(known)) if middles is known else None
    p90 = p99 = None
    if samples.size == runs:
        p50, p90, p99 = (float(q) for q in np.quantile(samples, (0.5, 0.9, 0.99)))
    return Statistics(
        runs=runs,
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        mean_ms=sum(one.mean_ms * one.runs for one in tries) / runs,
        least_ms=min(one.least_ms for one in tries),
        largest_ms=max(one.largest_ms for one in tries),
        tries_ms=tuple(middles),
        spread=spread,
        stable=spread <= SPREAD,
        init_ms=_middle([one.init_ms for one in tries]),
        first_ms=_middle([one.first_ms for one in tries]),
    )


def _middle(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.median(known)) if known else None


def measure(runner: DeviceRunner, device: str, unit: str, amount: Amount, watch: Watch) -> Measurement:
    """Time the artifact, which has just run on the inputs, in `TRIES` tries, each under the profile's limits.

    A try at whose end the device is beyond its limits is thrown away. Raises `EdgecError` E0705 where the device does
    not get or stay within them, E0703 where it restarted meanwhile, else as `DeviceRunner.time` does.
    """
    tries: list[Timed] = []
    states: list[State] = []
    discarded = 0
    while len(tries) < TRIES:
        before = watch.wait()
        found = runner.time(amount.plan())
        after = watch.look()
        if before.boot != after.boot:
            raise lost(runner.transport.address, "the device restarted")
        if why := watch.against(after):
            discarded += 1
            watch.tell(f"a try is thrown away: {why}")
            if discarded > _DISCARDED:
                raise error(
                    "E0705",
                    f"the device does not stay within its limits while it is measured: {why}",
                    notes=[f"{discarded} tries were thrown away"],
                    help=["cool or charge it, measure less at a time (`--seconds`), or change the profile's limit"],
                )
            continue
        tries.append(found)
        states += [before, after]
    for text in watch.unwatched(states[-1]):
        watch.tell(text)
    return Measurement(
        device=device,
        address=runner.transport.address,
        unit=unit,
        threads=runner.engine.threads,
        runtime=runner.engine.runtime,
        delegate=runner.engine.delegate,
        amount=amount,
        statistics=statistics_of(tries),
        identity=runner.identity,
        before=states[0],
        after=states[-1],
        discarded=discarded,
        samples_ms=np.concatenate([one.samples_ms for one in tries]),
    )
