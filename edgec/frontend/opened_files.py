"""Records files that the user's code opens for reading during import: configurations, class lists, weights."""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgec.frontend.user_code import is_users_own
from edgec.spec.reads import note


@contextmanager
def noting_opened() -> Iterator[None]:
    """While active, record files that Python opens for reading, except those of installed packages.

    Files opened by compiled code are not detected.
    """
    usual = builtins.open

    def opened(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if isinstance(file, str | os.PathLike) and not set(mode) & set("wxa+"):
            path = os.fspath(file)
            if isinstance(path, str) and _is_data(path) and _is_data(os.path.realpath(path)):
                note(path, "module" if path.endswith(".py") else "data")
        return usual(file, mode, *rest, **more)

    builtins.open = io.open = opened
    try:
        yield
    finally:
        builtins.open = io.open = usual


_OF_THE_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/")


def _is_data(path: str) -> bool:
    return is_users_own(path) and not path.startswith(_OF_THE_SYSTEM)
