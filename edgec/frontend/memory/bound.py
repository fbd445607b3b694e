"""Buffers that a forward binds anew, `self.h = y`: what each is at the end of the forward is written to it in place.

torch's exporter overlooks those of children, and of those of the module itself it takes what was assigned last, though
that was on one side of a branch.

Private names, seen in torch 2.13: `register_module_buffer_registration_hook`, which torch's exporter itself uses, and
its `register_buffer_assignment_hook`, which is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.export._trace
from torch.nn.modules.module import register_module_buffer_registration_hook
from torch.utils import _pytree as pytree


@contextmanager
def bound_anew(module: torch.nn.Module) -> Iterator[None]:
    """While active, the module's forward ends with its buffers written to in place."""
    owners = {id(owner): owner for owner in module.modules()}
    first: dict[tuple[int, str], torch.Tensor] = {}

    def binds(owner: torch.nn.Module, name: str, _: Any) -> None:
        before = owner._buffers.get(name)
        if id(owner) in owners and before is not None:
            first.setdefault((id(owner), name), before)

    def ends(_: Any, __: Any, result: Any) -> Any:
        changed = {key: buffer for key, buffer in first.items() if owners[key[0]]._buffers.get(key[1]) is not buffer}
        first.clear()
        own = {id(buffer) for buffer in changed.values()}
        result = pytree.tree_map(lambda leaf: leaf.clone() if _root(leaf) in own else leaf, result) if own else result
        for (owner, name), buffer in changed.items():
            now = owners[owner]._buffers.get(name)
            if now is not None and now.shape == buffer.shape:
                buffer.copy_(now)
                owners[owner]._buffers[name] = buffer
        return result

    exporter: Any = torch.export._trace
    torchs = exporter.register_buffer_assignment_hook
    exporter.register_buffer_assignment_hook = lambda *_: module.register_forward_hook(lambda *_: None)
    hooks = [register_module_buffer_registration_hook(binds), module.register_forward_hook(ends)]
    try:
        yield
    finally:
        exporter.register_buffer_assignment_hook = torchs
        for hook in hooks:
            hook.remove()


def _root(leaf: Any) -> int:
    """The identity of the tensor whose memory this one shows."""
    if not isinstance(leaf, torch.Tensor):
        return 0
    with torch._C.DisableTorchFunction():
        return id(leaf._base if leaf._is_view() and leaf._base is not None else leaf)
