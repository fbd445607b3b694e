"""The fused kernels that scripted `nn.MultiheadAttention` and `nn.TransformerEncoderLayer` call, in basic operators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def attention(node: Any, arguments: list[Any]) -> tuple[Any, ...]:
    """`aten::_native_multi_head_attention`: for (B, L, E), a result (B, L, E) and attention weights."""
    query, key, value, _, heads, weight, bias, out_weight, out_bias, mask, wanted, averaged, kind = _filled(
        arguments, (None, True, True, None), 13
    )
    parts = zip((query, key, value), weight.chunk(3), bias.chunk(3), strict=True)
    q, k, v = (_split(functional.linear(x, w, b), heads) for x, w, b in parts)
    scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = scores.masked_fill(_blocked(mask, kind), float("-inf"))
    weights = torch.softmax(scores, -1)
    result = functional.linear((weights @ v).transpose(1, 2).flatten(2), out_weight, out_bias)
    return result, (weights.mean(1) if averaged else weights) if wanted else None


def encoder_layer(node: Any, arguments: list[Any]) -> tuple[Any, ...]:
    """`aten::_transformer_encoder_layer_fwd`: for (B, L, E), a result of the same shape."""
    source, width, heads, *rest = _filled(arguments, (None, None), 20)
    projections, (gelu, first, eps), norms = rest[:4], rest[4:7], rest[7:11]
    feed, (mask, kind) = rest[11:15], rest[15:17]

    def norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.layer_norm(x, (width,), weight, bias, eps)

    def attend(x: Tensor) -> Tensor:
        found: Tensor = attention(node, [x, x, x, width, heads, *projections, mask, False, True, kind])[0]
        return found

    def forward(x: Tensor) -> Tensor:
        inner = functional.linear(x, feed[0], feed[1])
        return functional.linear(functional.gelu(inner) if gelu else torch.relu(inner), feed[2], feed[3])

    if first:
        x = source + attend(norm(source, *norms[:2]))
        return (x + forward(norm(x, *norms[2:])),)
    x = norm(source + attend(source), *norms[:2])
    return (norm(x + forward(x), *norms[2:]),)


def _filled(arguments: list[Any], defaults: tuple[Any, ...], count: int) -> list[Any]:
    """The arguments, with missing ones replaced by their defaults."""
    missing = count - len(arguments)
    return [*arguments, *defaults[len(defaults) - missing :]]


def _split(x: Tensor, heads: int) -> Tensor:
    return x.reshape(*x.shape[:-1], heads, -1).transpose(1, 2)


def _blocked(mask: Tensor, kind: int | None) -> Tensor:
    """The masked positions, broadcast to (B, heads, L, L): kind 0 is (L, L), kind 1 is (B, L), others are unchanged."""
    blocked = mask if mask.dtype == torch.bool else mask != 0
    return blocked[:, None, None, :] if kind == 1 else blocked
