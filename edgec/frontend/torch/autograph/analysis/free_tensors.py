"""Free tensors of a piece of code: tensors that it uses without being passed them, such as weights and constants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch.utils import _pytree as pytree

from edgec.frontend.torch.overrides.function_mode import Function, FunctionMode, tensors_among


class Collect(FunctionMode):
    """While active, collect in `found` every tensor that is used but neither passed nor created meanwhile."""

    sees_metadata: ClassVar[bool] = True

    def __init__(self, given: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self._kept = list(given)  # an id is only unique while its object lives
        self._own = {id(t) for t in self._kept}
        self.found: dict[int, torch.Tensor] = {}

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `FunctionMode`."""
        for tensor in tensors_among(*args, *kwargs.values()):
            if id(tensor) not in self._own:
                self.found.setdefault(id(tensor), tensor)
        result = function(*args, **kwargs)
        made = tensors_among(result)
        self._kept += made
        self._own |= {id(t) for t in made}
        return result


class Substitute(FunctionMode):
    """While active, replace the tensors in `instead` (by id) in the arguments of every function."""

    sees_metadata: ClassVar[bool] = True

    def __init__(self, instead: Mapping[int, torch.Tensor]) -> None:
        super().__init__()
        self._instead = instead

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `FunctionMode`."""
        args, kwargs = pytree.tree_map(lambda leaf: self._instead.get(id(leaf), leaf), (args, kwargs))
        return function(*args, **kwargs)
