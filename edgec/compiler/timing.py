"""Opens an existing artifact for timing."""

from __future__ import annotations

from edgec.artifact.format import format_of
from edgec.artifact.locate import Located
from edgec.diag import error
from edgec.runners.base import Runner
from edgec.runners.open import open_runner


def open_for_timing(found: Located, on: str) -> Runner:
    """A runner whose latency is meaningful (under QEMU: only relative to another one there).

    Raises `EdgecError` E0701 or E0603 if there is none.
    """
    known = format_of(found.path)
    if on == "local" and known.untimed:
        raise error(
            "E0603",
            f"a {known.title} artifact cannot be measured here",
            notes=[known.untimed],
            help=["`edgec predict` estimates the latency on a device"],
        )
    return open_runner(found.path, on=on)
