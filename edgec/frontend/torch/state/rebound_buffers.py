"""Buffers that a forward reassigns, `self.h = y`: their final value is written in place to the original buffer.

torch's exporter misses reassigned buffers of submodules, and for the module itself uses the last assignment even if it
was on one side of a branch. Reassignments are detected by comparing with the buffers at the start of the forward, so it
does not matter how they were made (`register_buffer`, `_buffers["h"] = y`).

Private API, as of torch 2.13: `register_buffer_assignment_hook` of torch's exporter, which is disabled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.export._trace
from torch.utils import _pytree as pytree

from edgec.frontend.torch.patches import patched


@contextmanager
def bound_anew(module: torch.nn.Module) -> Iterator[None]:
    """While active, the module's forward ends by writing to its reassigned buffers in place."""
    first: list[tuple[torch.nn.Module, str, torch.Tensor]] = []

    def begins(*_: Any) -> None:
        first[:] = [(owner, n, b) for owner in module.modules() for n, b in owner.named_buffers(recurse=False)]

    def ends(_: Any, __: Any, result: Any) -> Any:
        changed = [(owner, name, buffer) for owner, name, buffer in first if owner._buffers.get(name) is not buffer]
        own = {id(buffer) for *_, buffer in changed}
        result = pytree.tree_map(lambda leaf: leaf.clone() if _root(leaf) in own else leaf, result) if own else result
        for owner, name, buffer in changed:
            now = owner._buffers.get(name)
            if now is not None and now.shape == buffer.shape:
                buffer.copy_(now)
                owner._buffers[name] = buffer
        first.clear()
        return result

    hooks = [module.register_forward_pre_hook(begins), module.register_forward_hook(ends)]
    try:
        with patched() as patches:
            patches.replace("torch.export._trace.register_buffer_assignment_hook", lambda *_: _no_hook(module))
            yield
    finally:
        for hook in hooks:
            hook.remove()


def _no_hook(module: torch.nn.Module) -> Any:
    return module.register_forward_hook(lambda *_: None)


def _root(leaf: Any) -> int:
    """The id of the tensor whose memory this one is a view of."""
    if not isinstance(leaf, torch.Tensor):
        return 0
    with torch._C.DisableTorchFunction():
        return id(leaf._base if leaf._is_view() and leaf._base is not None else leaf)
