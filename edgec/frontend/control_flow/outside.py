"""The tensors that a piece of code uses without being given them: weights, constants, variables of its surroundings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree


class Collect(TorchFunctionMode):
    """While active, `found` gathers every tensor that is used and neither given nor made meanwhile."""

    def __init__(self, given: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self._kept = list(given)  # an id is only unique while its object lives
        self._own = {id(t) for t in self._kept}
        self.found: dict[int, torch.Tensor] = {}

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Called by torch for every function."""
        for tensor in _tensors((args, kwargs or {})):
            if id(tensor) not in self._own:
                self.found.setdefault(id(tensor), tensor)
        result = function(*args, **(kwargs or {}))
        made = _tensors(result)
        self._kept += made
        self._own |= {id(t) for t in made}
        return result


class Substitute(TorchFunctionMode):
    """While active, each function sees other tensors in the place of those in `instead` (by id)."""

    def __init__(self, instead: Mapping[int, torch.Tensor]) -> None:
        super().__init__()
        self._instead = instead

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Called by torch for every function."""
        args, kwargs = pytree.tree_map(lambda leaf: self._instead.get(id(leaf), leaf), (args, kwargs or {}))
        return function(*args, **kwargs)


def _tensors(value: Any) -> list[torch.Tensor]:
    return [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]
