"""Embedding bags, as reductions of rows without a loop over the bags."""

from __future__ import annotations

import torch
import torch.nn.functional as functional

MODES = ("sum", "mean", "max")
"""The modes by their number in `aten::embedding_bag`."""


def embedding_bag(
    indices: torch.Tensor,
    weight: torch.Tensor,
    offsets: torch.Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: torch.Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> torch.Tensor:
    """Like `torch.nn.functional.embedding_bag`: indices (B, L), or (N) with `offsets` (B); returns (B, features)."""
    if indices.dim() != 2 or max_norm is not None:
        return functional.embedding_bag(
            indices, weight, offsets, max_norm, norm_type, scale_grad_by_freq, mode, sparse,
            per_sample_weights, include_last_offset, padding_idx,
        )  # fmt: skip
    rows = functional.embedding(indices, weight)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    if padding_idx is None and mode != "mean":
        return rows.sum(1) if mode == "sum" else rows.amax(1)
    if padding_idx is None:
        return rows.mean(1)
    return _reduced(rows, indices != padding_idx % weight.shape[0], mode)


def padded_bag_operator(
    weight: torch.Tensor,
    indices: torch.Tensor,
    offsets: torch.Tensor,
    scale_grad_by_freq: bool,
    mode: int,
    sparse: bool,
    per_sample_weights: torch.Tensor | None,
    include_last_offset: bool,
    padding_idx: int | None,
) -> tuple[torch.Tensor | None, ...]:
    """Like `aten::embedding_bag.padding_idx`, where a negative index counts from the end of the table."""
    padding = -1 if padding_idx is None else padding_idx % weight.shape[0]
    return bag_operator(weight, indices, offsets, False, mode, False, per_sample_weights, include_last_offset, padding)


def bag_operator(
    weight: torch.Tensor,
    indices: torch.Tensor,
    offsets: torch.Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: torch.Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int = -1,
) -> tuple[torch.Tensor | None, ...]:
    """Like `aten::embedding_bag`: indices (N), of which bag b has those from `offsets[b]` to `offsets[b + 1]`.

    A negative `padding_idx` means none. Each bag masks the rows of the others. Results for gradients are left empty.
    """
    rows = functional.embedding(indices, weight)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    position = torch.arange(indices.shape[0], device=indices.device)
    ends = torch.cat([offsets[1:], torch.full_like(offsets[:1], indices.shape[0])])
    if include_last_offset:
        offsets, ends = offsets[:-1], offsets[1:]
    own = (position >= offsets.unsqueeze(1)) & (position < ends.unsqueeze(1))
    if padding_idx >= 0:
        own = own & (indices != padding_idx)
    return _reduced(rows, own, MODES[mode]), None, None, None


def _reduced(rows: torch.Tensor, own: torch.Tensor, mode: str) -> torch.Tensor:
    """Reduce rows (B, N, F) or (N, F) over those in a bag's mask `own` (B, N); an empty bag gives zero."""
    lowest = torch.finfo(rows.dtype).min if mode == "max" else 0
    kept = torch.where(own.unsqueeze(-1), rows, torch.full((), lowest, dtype=rows.dtype, device=rows.device))
    if mode == "sum":
        return kept.sum(1)
    count = own.sum(1, keepdim=True)
    if mode == "mean":
        return kept.sum(1) / torch.clamp(count, min=1).to(rows.dtype)
    return torch.where(count > 0, kept.amax(1), torch.zeros((), dtype=rows.dtype, device=rows.device))
