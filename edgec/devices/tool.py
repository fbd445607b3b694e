"""A program of this machine, run with a time limit and without a terminal: what `ssh` and `adb` have in common."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Done:
    """What a program left: its exit status (None: the time limit ended it) and what it wrote."""

    status: int | None
    stdout: str
    stderr: str


def run_tool(command: Sequence[str], limit_s: float, *, source: Path | None = None, sink: Path | None = None) -> Done:
    """Run `command` with `source` (or nothing) as its input; its output goes to `sink`, or into the result.

    On the time limit, and on Ctrl-C, the program and its children are killed. Raises FileNotFoundError where there is
    no such program.
    """
    with (
        (source or Path(os.devnull)).open("rb") as given,
        (sink or Path(os.devnull)).open("wb") as taken,
        subprocess.Popen(
            command,
            stdin=given,
            stdout=taken if sink is not None else subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process,
    ):
        try:
            out, err = process.communicate(timeout=limit_s)
            status: int | None = process.returncode
        except subprocess.TimeoutExpired:
            _kill(process)
            out, err, status = b"", b"", None  # whoever was handed the pipes, as ssh's master is, may hold them open
        except BaseException:
            _kill(process)
            raise
    return Done(status, _text(out), _text(err))


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _text(written: bytes | None) -> str:
    return (written or b"").decode(errors="replace").replace("\r\n", "\n")
