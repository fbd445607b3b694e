"""Two functions of the operating system that Python's library lacks: exchanging folders, and locking a folder."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
"""From linux/fcntl.h and linux/fs.h: relative to the current folder; exchange the two names."""


def swapped_by_kernel(first: Path, second: Path) -> bool:
    """Exchange two folders in one step (renameat2, Linux). False if the system or file system does not support it."""
    if not sys.platform.startswith("linux"):
        return False
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    if renameat2 is None:
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE) == 0)


@contextmanager
def folder_lock(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock on a folder, which the system releases at the latest when the process ends.

    Raises `OSError` if the folder does not exist or, without `wait`, if another process holds the lock. On systems
    without such locks (Windows), none is held.
    """
    if os.name != "posix":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)
