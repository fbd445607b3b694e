"""What a stream leads to: whether it shows colours, and how many columns it has."""

from __future__ import annotations

import os
import shutil
from typing import TextIO

_LEAST = 40
"""Columns below which lines are not wrapped any narrower."""


def is_terminal(stream: TextIO) -> bool:
    """Whether a person reads it on a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def has_colour(stream: TextIO) -> bool:
    """As https://no-color.org and https://force-color.org have it: `NO_COLOR` first, then `FORCE_COLOR`."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal(stream)


def columns_of(stream: TextIO) -> int | None:
    """Columns of the terminal, `COLUMNS` where that is set; None where there is none: logs are not wrapped."""
    if not stream.isatty():
        return None
    return max(shutil.get_terminal_size().columns, _LEAST)
