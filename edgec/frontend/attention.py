"""Attention as torch's ONNX exporter can take it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class SettledAttention(TorchFunctionMode):
    """While active, `scaled_dot_product_attention` is called on four dimensions and gives a contiguous result.

    On (batch…, heads, length, width) the batch is folded into one. The result is made contiguous because the layout
    that one kernel gives and another does not decides whether a later `view` is allowed (BEiT, T5).
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Called by torch for every function."""
        kwargs = kwargs or {}
        if function is not torch.nn.functional.scaled_dot_product_attention or not args:
            return function(*args, **kwargs)
        result = _folded(*args, **kwargs) if args[0].dim() > 4 else function(*args, **kwargs)
        return result.clone(memory_format=torch.contiguous_format)


def _folded(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    *rest: Any,
    **kwargs: Any,
) -> torch.Tensor:
    batch = query.shape[:-3]
    if attn_mask is not None:
        attn_mask = attn_mask.expand(*batch, *attn_mask.shape[-3:]) if attn_mask.dim() >= 3 else attn_mask
        attn_mask = attn_mask.reshape(-1, *attn_mask.shape[-3:]) if attn_mask.dim() > 4 else attn_mask
    q, k, v = (t.reshape(-1, *t.shape[-3:]) for t in (query, key, value))
    result = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask, *rest, **kwargs)
    return result.reshape(*batch, *result.shape[-3:])
