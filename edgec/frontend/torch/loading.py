"""What the import of torch, and of libraries of models, does for nobody: a tenth of a build.

Each registration of an operator notes the line that it stands on by `inspect.getframeinfo`, which resolves the path of
every module that is loaded to find the text around that line, and torch takes the line alone. Private name, seen in
torch 2.13: `torch._library.utils`, which asks.
"""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from unittest.mock import patch


@contextmanager
def without_garbage() -> Iterator[None]:
    """While active, Python looks for no garbage: what modules make as they load stays."""
    looks = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looks:
            gc.enable()


@contextmanager
def registered_quickly() -> Iterator[None]:
    """While active, torch, and what is imported, register operators without looking for text that nobody reads."""
    usual = inspect.getframeinfo

    def found(frame: FrameType, context: int = 1) -> inspect.Traceback:
        asks = sys._getframe(1).f_globals.get("__name__")
        return usual(frame, 0 if asks == "torch._library.utils" else context)

    with patch.object(inspect, "getframeinfo", found):
        yield
