"""Progress: one changing line on a terminal, plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console


class Progress:
    """Call it with what begins now. On a terminal a spinner shows it; in CI each step is a line with its seconds."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False)
        terminal = self._console.is_terminal and not os.environ.get("CI")
        self._status = self._console.status("") if terminal and not quiet else None
        self._quiet = quiet
        self._step: str | None = None
        self._since = 0.0

    def __call__(self, step: str) -> None:
        """Say that a step begins."""
        self._finish()
        self._step, self._since = step, time.monotonic()
        if self._status is not None:
            self._status.update(step)

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish()
        if self._status is not None:
            self._status.stop()

    def _finish(self) -> None:
        if self._step is None or self._quiet:
            return
        if self._status is None:
            print(f"{time.monotonic() - self._since:6.1f} s  {self._step}", file=sys.stderr, flush=True)
        self._step = None
