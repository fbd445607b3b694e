"""Attention in a form that torch's ONNX exporter supports."""

from __future__ import annotations

from typing import Any

import torch


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    *rest: Any,
    **kwargs: Any,
) -> torch.Tensor:
    """`scaled_dot_product_attention` on up to four dimensions, with batch dimensions merged and a contiguous result.

    Keys shared by several heads through broadcasting (Falcon) are expanded: the exporter requires equal numbers.

    The result is made contiguous because its layout differs between kernels and decides whether a later `view` is
    allowed (BEiT, T5).
    """
    function = torch.nn.functional.scaled_dot_product_attention
    if not kwargs.get("enable_gqa") and not query.shape[:-2] == key.shape[:-2] == value.shape[:-2]:
        broadcast: Any = torch.broadcast_shapes
        shared = broadcast(query.shape[:-2], key.shape[:-2], value.shape[:-2])
        query, key, value = (t.expand(*shared, *t.shape[-2:]) for t in (query, key, value))
    if query.dim() <= 4:
        return function(query, key, value, attn_mask, *rest, **kwargs).clone(memory_format=torch.contiguous_format)
    batch = query.shape[:-3]
    if attn_mask is not None:
        attn_mask = attn_mask.expand(*batch, *attn_mask.shape[-3:]) if attn_mask.dim() >= 3 else attn_mask
        attn_mask = attn_mask.reshape(-1, *attn_mask.shape[-3:]) if attn_mask.dim() > 4 else attn_mask
    q, k, v = (t.reshape(-1, *t.shape[-3:]) for t in (query, key, value))
    result = function(q, k, v, attn_mask, *rest, **kwargs).clone(memory_format=torch.contiguous_format)
    return result.reshape(*batch, *result.shape[-3:])
