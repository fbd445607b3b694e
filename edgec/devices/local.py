"""This machine, reached as a device is: by its own shell."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from edgec.devices.tool import run_tool
from edgec.devices.transport import REACH_S, Ran, ended, full, marked


class LocalTransport:
    """Runs scripts by this machine's `sh`."""

    address = "local"

    def __init__(self, scratch: str | None = None) -> None:
        self.scratch = scratch or tempfile.gettempdir()

    def run(self, script: str, limit_s: float = REACH_S) -> Ran:
        """By `sh -c`."""
        return ended(self.address, run_tool(["sh", "-c", marked(script)], limit_s), limit_s)

    def push(self, source: Path, destination: str, limit_s: float) -> None:
        """Copy a file."""
        try:
            shutil.copyfile(source, destination)
        except OSError as failure:
            raise full(self.address, f"`{source.name}`", [str(failure.strerror)]) from failure

    def pull(self, source: str, destination: Path, limit_s: float) -> None:
        """Copy a file."""
        shutil.copyfile(source, destination)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""
