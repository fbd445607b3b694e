"""Speeds up importing torch and libraries of models by skipping unnecessary work, a tenth of a build.

Registering an operator records its line with `inspect.getframeinfo`, which resolves the path of every loaded module to
read the text around that line, although torch only uses the line number. Private API, as of torch 2.13: the caller,
`torch._library.utils`.
"""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from unittest.mock import patch

from edgec.spec.process import is_own_process


@contextmanager
def without_garbage() -> Iterator[None]:
    """Disable garbage collection while modules are imported: nearly all objects that they create persist.

    In edgec's own process they are also exempted from later collections, which would traverse them all.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if is_own_process():
                gc.freeze()
            gc.enable()


@contextmanager
def registered_quickly() -> Iterator[None]:
    """While active, operators are registered without reading the source around their lines."""
    usual = inspect.getframeinfo

    def found(frame: FrameType, context: int = 1) -> inspect.Traceback:
        asks = sys._getframe(1).f_globals.get("__name__")
        return usual(frame, 0 if asks == "torch._library.utils" else context)

    with patch.object(inspect, "getframeinfo", found):
        yield
