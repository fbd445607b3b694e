"""A location where a model keeps something, and its value before and after a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from edgec.frontend.torch.autograph.analysis.side_effects import kind_of
from edgec.frontend.torch.autograph.operators.symbolic_numbers import is_number, is_symbol
from edgec.frontend.torch.state.holders import MISSING, REGISTRIES, Holder

Number = bool | int | float | complex


@dataclass(frozen=True)
class Place:
    """A key of a holder; `index` is the holder's among all that were recorded."""

    index: int
    holder: Holder
    key: Any

    @property
    def identity(self) -> tuple[int, Any]:
        """The identity of the location."""
        return self.index, self.key

    @property
    def name(self) -> str:
        """The display name, as in the source."""
        return self.holder.name(self.key)

    def read(self) -> Any:
        """The current value."""
        if self.of_tensor:
            return self.holder.object
        return self.holder.read(self.holder.object).get(self.key, MISSING)

    def write(self, value: Any) -> None:
        """Store another value."""
        content = self.holder.read(self.holder.object)
        self.holder.write(self.holder.object, {**content, self.key: value})

    @property
    def of_tensor(self) -> bool:
        """Whether it is the content of a tensor itself, which was written to in place."""
        return isinstance(self.holder.object, torch.Tensor)

    @property
    def registry(self) -> str:
        """The registry of its module that contains it: `_buffers`, …; empty for a plain attribute."""
        registered = isinstance(self.key, tuple) and bool(self.key) and self.key[0] in REGISTRIES
        return str(self.key[0]) if registered and isinstance(self.holder.object, torch.nn.Module) else ""


@dataclass(frozen=True)
class Change:
    """A location with its value before and after a call."""

    place: Place
    before: Any
    after: Any

    @property
    def keeps_form(self) -> bool:
        """Whether both are tensors of equal shape and type, or equal structures of such tensors."""
        if self.place.registry == "_parameters" or isinstance(self.place.holder.object, set):
            return False
        before, structure = pytree.tree_flatten(self.before)
        after, structure_after = pytree.tree_flatten(self.after)
        tensors = any(isinstance(leaf, torch.Tensor) for leaf in before)
        return tensors and structure == structure_after and all(map(_alike, before, after))

    @property
    def of_buffer(self) -> bool:
        """Whether it is a new value of a buffer with the same shape and type: a state without further analysis."""
        return self.place.holder.registered and self.place.registry == "_buffers" and self.keeps_form

    @property
    def builds(self) -> bool:
        """Whether a layer was created in the first call."""
        return isinstance(self.after, torch.nn.Module)


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and not isinstance(a, torch.nn.Parameter)
    return a is b or (type(a) is type(b) and isinstance(a, Number | str) and a == b)


def leaves(value: Any) -> list[Any]:
    """The tensors, numbers and other plain values in a structure or object."""
    found: list[Any] = []
    seen: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        this = waiting.pop()
        if id(this) in seen and not isinstance(this, Number):
            continue
        seen[id(this)] = this
        kind = None if isinstance(this, torch.Tensor | torch.nn.Module | type) else kind_of(this)
        if isinstance(this, tuple | frozenset):
            waiting += this
        elif kind is not None:
            content = kind.read(this)
            waiting += content.values() if isinstance(content, dict) else content
        else:
            found.append(this)
    return found


def is_same(a: Any, b: Any) -> bool:
    """Whether two values are equal; layers, and objects without content, are if they have the same type."""
    if a is b:
        return True
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return is_same_tensor(a, b)
    first, second = leaves(a), leaves(b)
    if type(a) is not type(b) or len(first) != len(second):
        return False
    if len(first) == 1 and first[0] is a:
        return _is_same_leaf(a, b)
    return all(map(_is_same_leaf, first, second))


def _is_same_leaf(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return is_same_tensor(a, b)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
    if isinstance(a, Number | str | bytes | type(None)):
        return type(a) is type(b) and (a == b or a != a)
    return type(a) is type(b)


def is_same_tensor(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors agree in shape, type and every element; NaN equals NaN."""
    if a is b:
        return True
    if a.shape != b.shape or a.dtype != b.dtype or a.layout != b.layout or a.layout is not torch.strided:
        return False
    with torch._C.DisableTorchFunction(), torch.no_grad():
        return torch.equal(a, b) or bool(((a == b) | ((a != a) & (b != b))).all())


def is_of_data(value: Any) -> bool:
    """Whether a trace stored a data-dependent value there."""
    return any(is_number(leaf) or is_symbol(leaf) for leaf in leaves(value))
