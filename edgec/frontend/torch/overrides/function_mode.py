"""The base class of modes that intercept torch's functions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

Function = Callable[..., Any]

HALVES = frozenset({torch.float16, torch.bfloat16})

_READ = "shape ndim dtype device layout requires_grad is_leaf is_sparse is_quantized is_nested is_cuda is_meta itemsize"
_ASKED = "size stride storage_offset dim numel element_size is_floating_point is_complex _is_view"

METADATA_QUERIES = frozenset(
    {getattr(torch.Tensor, name).__get__ for name in _READ.split()}
    | {getattr(torch.Tensor, name) for name in _ASKED.split()}
)
"""Queries of a tensor's metadata, nine tenths of the functions that torch's own code calls in a trace."""


class FunctionMode(TorchFunctionMode):
    """While active, each function of torch is passed to `call`. Inside `call` the mode itself is inactive.

    Queries of metadata are passed only while a mode is active that answers or records them (`sees_metadata`).
    """

    sees_metadata: ClassVar[bool] = False
    _seeing: ClassVar[int] = 0

    def __enter__(self) -> Any:
        FunctionMode._seeing += self.sees_metadata
        return super().__enter__()  # type: ignore[no-untyped-call]

    def __exit__(self, *failure: Any) -> None:
        super().__exit__(*failure)  # type: ignore[no-untyped-call]
        FunctionMode._seeing -= self.sees_metadata

    def __torch_function__(
        self,
        function: Function,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Called by torch for every function."""
        if function in METADATA_QUERIES and len(args) == 1 and not kwargs and not self._seeing and _are_plain(types):
            with torch._C.DisableTorchFunction():
                found = function(*args)
            if type(found) is not torch.dtype or found not in HALVES:  # which `Widened` replaces
                return found
        return self.call(function, args, kwargs or {})

    @abstractmethod
    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute the function, or a replacement."""


_LEAVES = frozenset({type(None), bool, int, float, str, torch.dtype, torch.device, torch.layout})


def tensors_among(*values: Any) -> list[torch.Tensor]:
    """The tensors among the values, also inside containers, which are rare and slow to traverse with torch."""
    found = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif type(value) not in _LEAVES:
            found += [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]
    return found


_PLAIN: set[type] = {torch.Tensor, torch.nn.Parameter}
_USUAL = (getattr(torch.Tensor.__torch_function__, "__func__", None), torch._C._disabled_torch_function_impl)


def _are_plain(kinds: Sequence[type]) -> bool:
    """Whether all are plain tensor types, without a `__torch_function__` of their own."""
    if not _PLAIN.issuperset(kinds):
        answers = [getattr(kind, "__torch_function__", None) for kind in kinds]
        if not all(getattr(answer, "__func__", answer) in _USUAL for answer in answers):
            return False
        _PLAIN.update(kinds)
    return True
