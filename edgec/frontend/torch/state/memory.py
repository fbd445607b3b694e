"""The state of a module and the functions that it calls before the first call, and how to restore it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgec.frontend.torch.autograph.replacement import functions_of
from edgec.frontend.torch.state.attributes import States
from edgec.frontend.torch.state.holders import MISSING, Holder, Holders, Written
from edgec.frontend.torch.state.locations import Change, Place, is_same, is_same_tensor


class Memory:
    """Everything in which a module can keep state. `fresh` restores the state before the first call.

    `states` are kept tensors that are passed to the module's first call as buffers: see `States`.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._holders = Holders(module.modules())
        self._holders.meet(module)
        self.states = States(module)

    def met(self, frame: FrameType) -> None:
        """A user's function starts for the first time: record what is reachable from it."""
        code = frame.f_code
        self._holders.meet_code(code, frame.f_globals)
        function = _by_name(code.co_qualname, frame.f_globals)
        if getattr(function, "__code__", None) is code:
            self._holders.meet(function)
        elif code.co_freevars or code.co_argcount:
            for found in functions_of(code):
                self._holders.meet(found)

    def changes(self) -> list[Change]:
        """The locations whose values have changed."""
        found: list[Change] = []
        for index, (holder, content) in self._holders.found.items():
            if isinstance(holder.object, torch.Tensor):
                found += self._written(index, holder, content[None])
                continue
            now = holder.read(holder.object)
            for key in [*content, *(k for k in now if k not in content)]:
                before, after = content.get(key, MISSING), now.get(key, MISSING)
                if before is not after and not _is_plain_same(before, after):
                    found.append(Change(Place(index, holder, key), before, after))
        return found

    def _written(self, index: int, holder: Holder, before: Written) -> list[Change]:
        held = holder.object
        if before.copy is None:
            changed = held._version != before.version
        else:
            changed = not is_same_tensor(before.copy, held.detach())
        return [Change(Place(index, holder, None), before.copy, held.detach().clone())] if changed else []

    def keep(self, changes: Sequence[Change]) -> None:
        """Treat these changes as part of the initial state from now on."""
        for change in changes:
            content = self._holders.found[change.place.index][1]
            if change.place.of_tensor:
                content[None] = Written(change.place.holder.object._version, change.after)
            elif change.after is MISSING:
                content.pop(change.place.key, None)
            else:
                content[change.place.key] = change.after

    def restore(self, changes: Sequence[Change] | None = None) -> None:
        """Restore the initial state: all of it, or the locations of these changes."""
        found = self.changes() if changes is None else changes
        for index in dict.fromkeys(c.place.index for c in found):
            holder, content = self._holders.found[index]
            keys = [c.place.key for c in found if c.place.index == index]
            holder.write(holder.object, dict(content) if changes is None else _partly(holder, content, keys))
            if holder.counts:
                content.update(holder.read(holder.object))

    def containing(self, tensor: torch.Tensor) -> list[Place]:
        """The locations that hold a tensor, alone or in a structure; none if another tensor shares its memory."""
        if any(_shares(holder.object, tensor) for holder, _ in self._holders.found.values()):
            return []
        return [
            Place(index, holder, key)
            for index, (holder, content) in self._holders.found.items()
            if holder.object is not tensor
            for key, value in content.items()
            if any(leaf is tensor for leaf in pytree.tree_leaves(value))
        ]

    def follow_buffers(self, module: torch.nn.Module) -> None:
        """Record the locations outside the registry that hold a buffer of the module: calls see it there too."""
        paths = {id(buffer): path for path, buffer in module.named_buffers()}
        for index, (holder, content) in self._holders.found.items():
            for key, value in content.items():
                place = Place(index, holder, key)
                if isinstance(value, torch.Tensor) and id(value) in paths and not (place.registry or place.of_tensor):
                    self.states.alias(place, paths[id(value)])

    @contextmanager
    def fresh(self) -> Iterator[None]:
        """Restore the initial state before and after the code inside."""
        self.restore()
        try:
            with self.states.installed():
                yield
        finally:
            self.restore()


def _partly(holder: Holder, content: dict[Any, Any], keys: Sequence[Any]) -> dict[Any, Any]:
    """The current contents, with these keys restored to their previous values."""
    now = holder.read(holder.object)
    left = {key: value for key, value in now.items() if key not in keys or key in content}
    return left | {key: content[key] for key in keys if key in content}


def _shares(a: Any, b: torch.Tensor) -> bool:
    if a is b or not isinstance(a, torch.Tensor) or a.layout is not torch.strided or b.layout is not torch.strided:
        return False
    return a.numel() > 0 and a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def _is_plain_same(a: Any, b: Any) -> bool:
    plain = bool | int | float | complex | str | bytes | torch.Size | torch.dtype
    if isinstance(a, Callable | plain) or type(a).__module__ == "numpy":  # type: ignore[arg-type]
        return type(a) is type(b) and not isinstance(a, torch.nn.Module) and is_same(a, b)
    return False


def _by_name(qualified: str, variables: dict[str, Any]) -> Any:
    """The function of that qualified name, if it can be found."""
    first, *rest = qualified.split(".")
    found = variables.get(first)
    for part in rest:
        found = vars(found).get(part) if isinstance(found, type) else None
    return getattr(found, "__func__", found)
