"""Whether this is edgec's own process, as with the console script, or a program that imports edgec."""

from __future__ import annotations

_own = False


def own_process() -> None:
    """Declare that no other code in this process uses vendors' packages, so that they may be loaded in part."""
    global _own
    _own = True


def is_own_process() -> bool:
    """Whether this was declared."""
    return _own
