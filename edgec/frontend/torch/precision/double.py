"""Eager PyTorch in double precision, even if the code specifies float32 or has float32 tensors that are no buffers."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map


def writes(func: Any) -> bool:
    """Whether an operator writes to an operand, which must then be the caller's own tensor."""
    return any(a.alias_info is not None and a.alias_info.is_write for a in func._schema.arguments)


class InDouble(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no annotations there
    """While active, operators receive float64 instead of float32, and create it instead of float32."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operator."""
        if writes(func):
            return func(*args, **(kwargs or {}))
        return func(*tree_map(_doubled, args), **tree_map(_doubled, kwargs or {}))


def _doubled(item: Any) -> Any:
    if isinstance(item, torch.Tensor) and item.dtype == torch.float32:
        return item.double()
    return torch.float64 if item is torch.float32 else item
