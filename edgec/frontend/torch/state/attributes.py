"""Converts tensors kept in plain attributes, lists and the like to buffers, which become states of the model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgec.diag import error
from edgec.frontend.torch.state.locations import Change, Place

KEPT = "_edgec_kept"
"""The submodule that holds the buffers while the model runs."""


@dataclass(frozen=True)
class State:
    """A location with its structure, and for each leaf the buffer's name or, if it is no tensor, its value."""

    place: Place
    structure: pytree.TreeSpec
    leaves: tuple[Any, ...]
    buffers: tuple[str, ...]


class States:
    """The states of one module. Before its forward each is copied to its location, and afterwards from there.

    A location may also refer to one of the module's own buffers, such as a registered cache: a trace replaces the
    buffer by another tensor, and the forward starts by putting that tensor at the other location, too.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module
        self._holder = torch.nn.Module()
        self._states: dict[tuple[int, Any], State] = {}
        self._aliases: dict[tuple[int, Any], tuple[Place, str]] = {}
        self._loaded: dict[tuple[int, Any], list[tuple[Any, int]]] = {}

    def __contains__(self, place: Place) -> bool:
        return place.identity in self._states or place.identity in self._aliases

    def alias(self, place: Place, buffer: str) -> None:
        """Record that the location refers to the module's buffer of that path."""
        self._aliases[place.identity] = (place, buffer)

    def covers(self, place: Place) -> bool:
        """Whether a location is that of a state, or the content of a tensor that is one."""
        held = place.holder.object
        return place in self or any(held is leaf for s in self._states.values() for leaf in s.leaves)

    def moved(self, place: Place) -> bool:
        """Whether a state's location holds another object than at the start of the forward."""
        found = pytree.tree_leaves(place.read()) if place in self else []
        loaded = self._loaded.get(place.identity, [])
        return any(a is not b or _version(a) != v for a, (b, v) in zip(found, loaded, strict=False))

    def add(self, change: Change) -> None:
        """Make a state of a location whose content keeps its shape and type."""
        leaves, structure = pytree.tree_flatten(change.before)
        names = []
        for i, leaf in enumerate(leaves):
            name = re.sub(r"\W+", "_", change.place.name).strip("_") + (f"_{i}" if len(leaves) > 1 else "")
            while name in self._holder._buffers or hasattr(self._holder, name):
                name += "_"
            names.append(name if isinstance(leaf, torch.Tensor) else "")
            if names[-1]:
                self._holder.register_buffer(name, leaf.detach().clone())
        self._states[change.place.identity] = State(change.place, structure, tuple(leaves), tuple(names))

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While active, the module has the buffers, and its forward copies them at the start and the end."""
        if not self._states and not self._aliases:
            yield
            return
        self._module.add_module(KEPT, self._holder)
        hooks = [
            self._module.register_forward_pre_hook(self._load, prepend=True),
            self._module.register_forward_hook(self._store),
        ]
        initial = {
            name: (buffer, buffer.clone()) for name, buffer in self._holder._buffers.items() if buffer is not None
        }
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            del self._module._modules[KEPT]
            for name, (buffer, content) in initial.items():
                with torch.no_grad():
                    buffer.copy_(content)
                self._holder._buffers[name] = buffer

    def _load(self, *_: Any) -> None:
        for state in self._states.values():
            pairs = zip(state.buffers, state.leaves, strict=True)
            own = [getattr(self._holder, name).clone() if name else leaf for name, leaf in pairs]
            self._loaded[state.place.identity] = [(leaf, _version(leaf)) for leaf in own]
            state.place.write(pytree.tree_unflatten(own, state.structure))

        for place, path in self._aliases.values():
            buffer = self._module.get_buffer(path)
            self._loaded[place.identity] = [(buffer, _version(buffer))]
            place.write(buffer)

    def _store(self, *_: Any) -> None:
        for state in self._states.values():
            leaves, structure = pytree.tree_flatten(state.place.read())
            if structure != state.structure:
                raise _changes_form(state.place)
            for name, leaf in zip(state.buffers, leaves, strict=True):
                if not name:
                    continue
                buffer = getattr(self._holder, name)
                if not isinstance(leaf, torch.Tensor) or leaf.shape != buffer.shape or leaf.dtype != buffer.dtype:
                    raise _changes_form(state.place)
                buffer.copy_(leaf)  # torch's exporter misses a reassigned buffer of a submodule


def _version(leaf: Any) -> int:
    return leaf._version if isinstance(leaf, torch.Tensor) else 0


def _changes_form(place: Place) -> Exception:
    return error(
        "E0219",
        f"`{place.name}` is kept between calls with a different shape or type for some inputs",
        notes=["rejected by `memory-form`"],
        help=["keep a tensor of one shape and element type"],
    )
