"""What every way to a device has in common: shell scripts run there, files go there and come back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from edgec.devices.tool import Done
from edgec.diag import EdgecError, error

REACH_S = 30.0
"""Seconds in which a device has to answer a small question."""


@dataclass(frozen=True)
class Ran:
    """A script that ended on the device: its exit status, and what it wrote to its standard output."""

    status: int
    output: str


class Transport(Protocol):
    """A connection to one device with a POSIX shell. A context manager: leaving it closes the connection.

    `address` is what the user calls it by (`adb:SERIAL`, `ssh://user@host`). `scratch` is a folder on the device that
    everybody may write to, in which edgec makes its own.
    """

    address: str
    scratch: str

    def run(self, script: str, limit_s: float = REACH_S) -> Ran:
        """Run a script of the POSIX shell, without input.

        Raises `EdgecError` E0703 when the connection is lost before the script has ended, E0706 when it takes longer
        than `limit_s` seconds (it may then go on running there).
        """
        ...

    def push(self, source: Path, destination: str, limit_s: float) -> None:
        """Copy a file to the device. Raises `EdgecError` E0703, E0705 for a full disk, E0706 beyond the limit."""
        ...

    def pull(self, source: str, destination: Path, limit_s: float) -> None:
        """Copy a file from the device. Raises `EdgecError` E0703, E0706."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


_MARK = "edgec-ended-with"


def marked(script: str) -> str:
    """The script, after which the device says that it ended and how: what lacks the mark was cut off.

    Neither the status nor the end of the output of `adb shell` and `ssh` can be told from those of a lost connection
    otherwise.
    """
    return f"( {script}\n) </dev/null; status=$?; echo; echo {_MARK} $status"


def ended(address: str, done: Done, limit_s: float) -> Ran:
    """What a marked script left. Raises `EdgecError` E0706 on the time limit, E0703 without the mark."""
    if done.status is None:
        raise too_late(address, limit_s)
    found = re.search(rf"\n{_MARK} (\d+)\s*\Z", done.stdout)
    if found is None:
        raise lost(address, done.stderr)
    return Ran(int(found[1]), done.stdout[: found.start()])


def lost(address: str, said: str) -> EdgecError:
    """The connection ended in the middle."""
    return error(
        "E0703",
        f"the connection to `{address}` was lost",
        notes=last_lines(said),
        help=[
            "check the cable or the network, and whether the device restarted",
            "what is left on the device is removed at the next contact",
        ],
    )


def too_late(address: str, limit_s: float) -> EdgecError:
    """The time limit passed."""
    return error(
        "E0706",
        f"`{address}` did not finish within {limit_s:.0f} seconds, and was stopped",
        help=["if the device is only slow, allow more with `--limit SECONDS`"],
    )


def full(address: str, what: str, notes: Sequence[str] = ()) -> EdgecError:
    """No space is left on the device."""
    return error(
        "E0705",
        f"there is not enough space on `{address}` for {what}",
        notes=notes,
        help=["free some, or name another folder: `folder` in `[reach]` of the device's profile"],
    )


def says_full(said: str) -> bool:
    """Whether a foreign message tells of a full disk."""
    return "No space left on device" in said or "Disk quota exceeded" in said


def last_lines(said: str, count: int = 3) -> list[str]:
    """The end of what a foreign program wrote."""
    return [line.strip() for line in said.splitlines() if line.strip()][-count:]
