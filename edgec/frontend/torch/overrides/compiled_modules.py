"""Undoes torch.compile: kernels compiled for the host are not exported, and are not the reference for an artifact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

INSIDE = "_orig_mod"
"""The attribute in which `torch.compile(module)` keeps the module; part of its weights' names."""


def uncompiled(module: Any) -> Any:
    """The module wrapped by `torch.compile(module)`; other objects unchanged. Compiled children are kept."""
    while isinstance(module, torch.nn.Module) and isinstance(getattr(module, INSIDE, None), torch.nn.Module):
        module = getattr(module, INSIDE)
    return module


@contextmanager
def not_compiling() -> Iterator[None]:
    """While active, compiled children, methods and functions run uncompiled.

    Not for use around an export, in which `torch.cond` is traced by compiling.
    """
    with torch.compiler.set_stance("force_eager"):
        yield
