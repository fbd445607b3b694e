"""What a command shows on a terminal of a given width: run under a pseudo-terminal, and recorded."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""Colours, and what moves the cursor."""


def recorded(words: Sequence[str], columns: int, folder: Path, **environment: str) -> tuple[int, str]:
    """The exit code of `edgec WORDS`, and all that it wrote to the terminal."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    unset = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "CI")
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    process = subprocess.Popen(
        [sys.executable, "-m", "edgec", *words],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=folder,
        env={**inherited, "TERM": "xterm-256color", **environment},
        close_fds=True,
    )
    os.close(follower)
    parts = []
    while True:
        try:
            part = os.read(leader, 1 << 16)
        except OSError:  # Linux: the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(leader)
    return process.wait(), b"".join(parts).decode(errors="replace").replace("\r\n", "\n")


def plain(text: str) -> str:
    """Without control sequences."""
    return CONTROL.sub("", text)
