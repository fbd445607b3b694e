"""Whether this process is edgec's own, as the console script's is, or somebody's that imports edgec."""

from __future__ import annotations

_own = False


def own_process() -> None:
    """Say that nobody else uses a vendor's package in this process: it may come without what edgec does not need."""
    global _own
    _own = True


def is_own_process() -> bool:
    """Whether that was said."""
    return _own
