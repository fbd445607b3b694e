"""torch.compile undone: kernels for this machine are neither exported nor what an artifact is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

INSIDE = "_orig_mod"
"""Where `torch.compile(module)` keeps the module; part of the names of its weights."""


def uncompiled(module: Any) -> Any:
    """The module behind `torch.compile(module)`; anything else as it is. Compiled children stay what they are."""
    while isinstance(module, torch.nn.Module) and isinstance(getattr(module, INSIDE, None), torch.nn.Module):
        module = getattr(module, INSIDE)
    return module


@contextmanager
def not_compiling() -> Iterator[None]:
    """What is compiled, children, methods and functions too, runs as it is written.

    Not around an export, where `torch.cond` is traced by a compilation.
    """
    with torch.compiler.set_stance("force_eager"):
        yield
