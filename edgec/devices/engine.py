"""What executes and times a model on a device, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgec.devices.transport import Ran, last_lines
from edgec.devices.work_folder import WorkFolder
from edgec.diag import EdgecError, error
from edgec.runners.base import Array

MODEL = "model"
"""The artifact's name in the work folder."""

_LONGEST_LOG = 100_000
"""Bytes of a program's output that are kept: what writes without end is stopped there."""


@dataclass(frozen=True)
class Plan:
    """One try: `warm_up` runs, then single runs until there are `runs` of them or `seconds` have passed."""

    warm_up: int
    runs: int
    seconds: float


@dataclass(frozen=True)
class Timed:
    """One try, in milliseconds. `samples_ms` holds every run, and is empty where the tool gives only statistics.

    `median_ms` is None where the tool does not tell it. `init_ms`: loading; `first_ms`: the first run after it.
    """

    runs: int
    mean_ms: float
    least_ms: float
    largest_ms: float
    median_ms: float | None
    init_ms: float | None
    first_ms: float | None
    samples_ms: NDArray[np.float64]


class Engine(Protocol):
    """Executes the artifact that lies in the work folder.

    `runtime` names what executes it, with its version, once it has run; `delegate` what was asked to run it on a unit.
    """

    runtime: str
    delegate: str
    threads: int

    def run(self, inputs: Mapping[str, Array], limit_s: float) -> dict[str, Array]:
        """The outputs by name. Raises `EdgecError` E0706 when the run fails, E0502 without a runtime on the device."""
        ...

    def time(self, plan: Plan, limit_s: float) -> Timed:
        """One try, on the inputs of the last run. Raises `EdgecError` E0706 also for numbers that cannot be right."""
        ...


def run_logged(folder: WorkFolder, command: str, limit_s: float) -> Ran:
    """Run a command in the folder; both of its outputs come back, cut off where they are endless.

    Raises `EdgecError` E0706 where it was killed or crashed, E0703 and E0706 as `Transport.run` does.
    """
    caught = f"{{ ( {command} ) 2>&1; echo $? > status; }} | head -c {_LONGEST_LOG} > log"
    done = folder.run(f"rm -f status log\n{caught}\ncat log; exit $(cat status)", limit_s)
    if len(done.output) >= _LONGEST_LOG:
        raise garbage(folder.transport.address, done.output[:200])
    if done.status > 128:
        raise _killed(folder.transport.address, done)
    return done


_SIGNALS = {4: "illegal instruction", 6: "aborted", 7: "bus error", 9: "killed", 11: "segmentation fault"}
"""POSIX signals by number, on Linux."""


def _killed(address: str, done: Ran) -> EdgecError:
    number = done.status - 128
    help = {
        9: "the system kills what takes too much memory: free some, or build a smaller model",
        4: "the runtime was built for another processor: install the one for this board",
    }.get(number, "run the command by hand on the device, and report it to the runtime's makers")
    return error(
        "E0706",
        f"the run on `{address}` ended by signal {number} ({_SIGNALS.get(number, 'see `kill -l`')})",
        notes=last_lines(done.output),
        help=[help],
    )


def garbage(address: str, said: str) -> EdgecError:
    """What came back is no result."""
    return error(
        "E0706",
        f"`{address}` answered with something that is no result",
        notes=last_lines(said) or ["it wrote nothing"],
        help=["run the command by hand on the device; nothing was recorded"],
    )


def check_times(address: str, timed: Timed, wall_s: float) -> Timed:
    """The try, if its numbers can be true: positive, in order, and no longer together than it took.

    Raises `EdgecError` E0706 where they cannot.
    """
    ordered = 0 < timed.least_ms <= timed.mean_ms * (1 + 1e-6) and timed.mean_ms <= timed.largest_ms * (1 + 1e-6)
    middle = timed.median_ms is None or timed.least_ms <= timed.median_ms <= timed.largest_ms
    finite = all(np.isfinite([timed.mean_ms, timed.least_ms, timed.largest_ms]))
    total_s = timed.runs * timed.mean_ms / 1e3
    if timed.runs < 1 or not (ordered and middle and finite) or total_s > wall_s:
        claim = (
            f"{timed.runs:,} runs of {timed.mean_ms:.4g} ms (from {timed.least_ms:.4g} to {timed.largest_ms:.4g} ms)"
        )
        raise error(
            "E0706",
            f"the times that `{address}` gives cannot be true",
            notes=[f"{claim} in {wall_s:.2f} seconds"],
            help=["check the device's clock and the tool; nothing was recorded"],
        )
    return timed
