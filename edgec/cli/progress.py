"""Progress: a spinner on a terminal, plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console

from edgec.cli.terminal import has_colour, is_terminal


def _console() -> Console:
    """On the current stream: exports redirect it later."""
    return Console(file=sys.stderr, highlight=False, force_terminal=True, no_color=not has_colour(sys.stderr))


class Progress:
    """Call it with the step that starts. On a terminal a spinner shows it; in CI each step is a line with its seconds.

    Some libraries swallow a Ctrl-C: it is raised again when the next step starts.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        terminal = is_terminal(sys.stderr) and not os.environ.get("CI")
        self._status = _console().status("") if terminal and not quiet else None
        self._quiet = quiet
        self._step: str | None = None
        self._since = 0.0
        self._interrupted = False
        self._handler: Any = None

    def __call__(self, step: str) -> None:
        """Start a step."""
        self._finish()
        if self._interrupted:
            raise KeyboardInterrupt
        self._step, self._since = step, time.monotonic()
        if self._status is not None:
            self._status.update(step)

    def __enter__(self) -> Self:
        self._handler = signal.signal(signal.SIGINT, self._interrupt)
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._handler)
        self._finish()
        if self._status is not None:
            self._status.stop()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True
        raise KeyboardInterrupt

    def _finish(self) -> None:
        if self._step is None or self._quiet:
            return
        if self._status is None:
            print(f"{time.monotonic() - self._since:6.1f} s  {self._step}", file=sys.stderr, flush=True)
        self._step = None
