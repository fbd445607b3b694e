"""Counting: the most frequent value, histograms, and membership."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition


def _mode(x: torch.Tensor, dim: int = -1, keepdim: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """The most frequent value (the smallest of several) and its last index: the longest run of the sorted values."""
    if not x.dim():
        return x.clone(), torch.zeros((), dtype=torch.int64, device=x.device)
    values, index = torch.sort(x.movedim(dim, -1), -1)
    count = values.shape[-1]
    position = torch.arange(count, device=x.device).expand(values.shape)
    begins = torch.cat([torch.ones_like(values[..., :1], dtype=torch.bool), values[..., 1:] != values[..., :-1]], -1)
    start = torch.cummax(torch.where(begins, position, torch.zeros_like(position)), -1).values
    best = torch.argmax(position - start, -1, keepdim=True)
    found = [torch.gather(t, -1, best) for t in (values, index)]
    value, place = (t.movedim(-1, dim) if keepdim else t.squeeze(-1) for t in found)
    return value, place


def _has_static_runs(x: torch.Tensor, dim: int = -1, keepdim: bool = False) -> bool:
    return not x.dim() or isinstance(x.shape[dim], int)


def _counts(x: torch.Tensor, edges: torch.Tensor, weight: torch.Tensor | None, density: bool) -> torch.Tensor:
    """The number of elements between consecutive edges; the last bin includes its end, outliers are not counted."""
    flat, bins = x.reshape(-1), edges.shape[0] - 1
    place = torch.searchsorted(edges, flat, right=True) - 1
    place = torch.where(flat == edges[-1], torch.full_like(place, bins - 1), place)
    hits = (place.unsqueeze(0) == torch.arange(bins, device=x.device).unsqueeze(1)).to(x.dtype)
    found = (hits if weight is None else hits * weight.reshape(1, -1)).sum(1)
    return found / (found.sum() * (edges[1:] - edges[:-1])) if density else found


def _histogram(
    x: torch.Tensor,
    bins: int,
    *,
    range: Sequence[float] | None = None,
    weight: torch.Tensor | None = None,
    density: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A histogram with bins of equal width over the `range`, or between the minimum and maximum element."""
    if range is None:
        low, high = torch.aminmax(x) if x.numel() else (x.new_zeros(()), x.new_zeros(()))
    else:
        low, high = (torch.full((), v, dtype=x.dtype, device=x.device) for v in range)
    apart = 0.5 * (low == high).to(x.dtype)
    low, high = low - apart, high + apart
    step, number = (high - low) / bins, torch.arange(bins + 1, device=x.device)
    from_low, from_high = low + step * number, high - step * (bins - number)  # as torch's `linspace` does
    edges = torch.where(number < (bins + 1) // 2, from_low, from_high)
    return _counts(x, edges, weight, density), edges


def _histogram_of_edges(
    x: torch.Tensor, bins: torch.Tensor, *, weight: torch.Tensor | None = None, density: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    return _counts(x, bins, weight, density), bins.clone()


def _linear_counts(x: torch.Tensor, bins: int = 100, min: Any = 0, max: Any = 0) -> torch.Tensor:
    """By the bin index that aten's `HistogramKernel.cpp` computes, (x − low) · bins / (high − low). Equal bounds are
    replaced by those of the data, widened by one on each side if all elements are equal.
    """
    low, high = (torch.full((), float(v), dtype=x.dtype, device=x.device) for v in (min, max))
    if min == max:
        low, high = torch.aminmax(x) if x.numel() else (low, high)
        apart = (low == high).to(x.dtype)
        low, high = low - apart, high + apart
    flat = x.reshape(-1)
    place = torch.clamp(torch.floor((flat - low) * bins / (high - low)), 0, bins - 1)  # aten truncates: equal inside
    inside = (flat >= low) & (flat <= high)
    hits = (place.unsqueeze(0) == torch.arange(bins, device=x.device).unsqueeze(1)) & inside
    return hits.sum(1).to(x.dtype)


def _static(x: torch.Tensor, *rest: Any, **more: Any) -> bool:
    return all(isinstance(size, int) for size in x.shape)


_MOST_PAIRS = 1_000_000
"""The number of pairs up to which every element is compared with every other."""


def _is_in(
    elements: torch.Tensor, among: torch.Tensor, *, assume_unique: bool = False, invert: bool = False
) -> torch.Tensor:
    found = (elements.unsqueeze(-1) == among.reshape(-1)).any(-1)
    return ~found if invert else found


def _has_few_pairs(elements: torch.Tensor, among: torch.Tensor, **_: Any) -> bool:
    return _static(elements) and _static(among) and elements.numel() * among.numel() <= _MOST_PAIRS


COUNTING: dict[str, Decomposition] = {
    "aten.mode.default": Decomposition(_mode, _has_static_runs),
    "aten.histogram.bin_ct": Decomposition(_histogram, _static),
    "aten.histogram.bins_tensor": Decomposition(_histogram_of_edges, _static),
    "aten.histc.default": Decomposition(_linear_counts, _static),
    "aten.isin.Tensor_Tensor": Decomposition(_is_in, _has_few_pairs),
}
