"""Cumulative products, maxima and minima; the k-th value; binary search in sorted edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition

Pair = tuple[torch.Tensor, torch.Tensor]


def _size(x: torch.Tensor, dim: int) -> Any:
    return x.shape[dim] if x.dim() else 1


def _static(x: torch.Tensor, dim: int, *rest: Any, **kwargs: Any) -> bool:
    return isinstance(_size(x, dim), int)


def _product(x: torch.Tensor, dim: int, *, dtype: torch.dtype | None = None) -> torch.Tensor:
    """By doubling: after the step with offset s each element is the product of the last 2s."""
    wide = dtype or (x.dtype if x.dtype.is_floating_point else torch.int64)
    x, size, step = x.to(wide), _size(x, dim), 1
    while step < size:
        later = x.narrow(dim, step, size - step) * x.narrow(dim, 0, size - step)
        x = torch.cat([x.narrow(dim, 0, step), later], dim)
        step *= 2
    return x


def _extreme(better: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor, int], Pair]:
    """A cumulative maximum or minimum with its index: the later of equal values; NaN takes precedence."""

    def scan(x: torch.Tensor, dim: int) -> Pair:
        size, step = _size(x, dim), 1
        positions = torch.arange(size, device=x.device)
        index = positions.reshape([-1] + [1] * (x.dim() - 1 - dim % x.dim())).expand(x.shape) if x.dim() else positions
        index = index.reshape(x.shape)
        while step < size:
            rest = size - step
            a, b = x.narrow(dim, 0, rest), x.narrow(dim, step, rest)
            ia, ib = index.narrow(dim, 0, rest), index.narrow(dim, step, rest)
            keep = torch.isnan(b) | (better(b, a) & ~torch.isnan(a)) if x.is_floating_point() else better(b, a)
            x = torch.cat([x.narrow(dim, 0, step), torch.where(keep, b, a)], dim)
            index = torch.cat([index.narrow(dim, 0, step), torch.where(keep, ib, ia)], dim)
            step *= 2
        return x, index

    return scan


def _rank(x: torch.Tensor, counted: torch.Tensor, dim: int) -> Pair:
    """The lower median of the first `counted` values in ascending order, NaN last, and its index.

    NaN is sorted as infinity: its position in a runtime's sort is not defined.
    """
    values, index = torch.sort(torch.where(torch.isnan(x), torch.full_like(x, float("inf")), x), dim)
    middle = torch.clamp(torch.div(counted - 1, 2, rounding_mode="floor"), min=0)
    found = torch.gather(values, dim, middle)
    return torch.where(counted > 0, found, torch.full_like(found, float("nan"))), torch.gather(index, dim, middle)


def _median(x: torch.Tensor, dim: int = -1, keepdim: bool = False, *, ignored: bool = False) -> Pair:
    """The lower median; NaN if any value is, unless NaNs are `ignored`."""
    if not x.dim():
        return x.clone(), torch.zeros((), dtype=torch.int64)
    lost = torch.isnan(x)
    numbers = (~lost).sum(dim, keepdim=True)
    values, index = _rank(x, numbers, dim)
    if not ignored:
        first = torch.argmax(lost.to(torch.int64), dim, keepdim=True)
        poisoned = lost.any(dim, keepdim=True)
        values = torch.where(poisoned, torch.full_like(values, float("nan")), values)
        index = torch.where(poisoned, first, index)
    return (values, index) if keepdim else (values.squeeze(dim), index.squeeze(dim))


def _nan_median(x: torch.Tensor, dim: int = -1, keepdim: bool = False) -> Pair:
    return _median(x, dim, keepdim, ignored=True)


def _is_float(x: torch.Tensor, *rest: Any) -> bool:
    return x.is_floating_point()


def _kth_value(x: torch.Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Pair:
    if not x.dim():
        return x, torch.zeros((), dtype=torch.int64)
    values, index = torch.topk(x, k, dim, largest=False)
    last = k - 1
    values, index = values.narrow(dim, last, 1), index.narrow(dim, last, 1)
    return (values, index) if keepdim else (values.squeeze(dim), index.squeeze(dim))


def _stable_sort(x: torch.Tensor, *, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Pair:
    """The exporter's sort is stable, but it supports only the overload without `stable`."""
    values, index = torch.sort(x, dim, descending)
    return values, index


def _stable_argsort(x: torch.Tensor, *, stable: bool, dim: int = -1, descending: bool = False) -> torch.Tensor:
    return torch.sort(x, dim, descending)[1]


def _search(
    edges: torch.Tensor,
    x: torch.Tensor,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: torch.Tensor | None = None,
) -> torch.Tensor:
    """The number of edges below each value (with `right`, also equal ones) by torch's own bisection, step by step, so
    that edges that are not sorted, for which the result is undefined, give the same as in torch.
    """
    edges = edges if sorter is None else torch.gather(edges, -1, sorter)
    count = edges.shape[-1]
    start = torch.zeros(x.shape, dtype=torch.int64, device=x.device)
    end = start + count
    for _ in range(int(count).bit_length()):
        middle = (start + end) // 2
        inside = torch.clamp(middle, max=count - 1)
        edge = _pick(edges, inside)
        below = ~(edge > x if right or side == "right" else edge >= x) & (start < end)
        start, end = torch.where(below, middle + 1, start), torch.where(below, end, middle)
    return start.to(torch.int32) if out_int32 else start


def _pick(edges: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    if edges.dim() == 1:
        return torch.gather(edges, 0, index.reshape(-1)).reshape(index.shape)
    return torch.gather(edges, -1, index)


def _has_static_edges(edges: torch.Tensor, *rest: Any, **kwargs: Any) -> bool:
    return isinstance(edges.shape[-1], int)


def _search_scalar(edges: torch.Tensor, x: Any, **kwargs: Any) -> torch.Tensor:
    return _search(edges, torch.full((), x, dtype=torch.float32), **kwargs)


def _bucketize(x: torch.Tensor, edges: torch.Tensor, *, out_int32: bool = False, right: bool = False) -> torch.Tensor:
    return _search(edges, x, out_int32=out_int32, right=right)


def _bucketize_scalar(x: Any, edges: torch.Tensor, **kwargs: Any) -> torch.Tensor:
    return _search_scalar(edges, x, **kwargs)


SCANS: dict[str, Decomposition] = {
    "aten.cumprod.default": Decomposition(_product, _static),
    "aten.cummax.default": Decomposition(_extreme(torch.ge), _static),
    "aten.cummin.default": Decomposition(_extreme(torch.le), _static),
    "aten.kthvalue.default": Decomposition(_kth_value),
    "aten.median.default": Decomposition(lambda x: _median(x.flatten())[0], _is_float),
    "aten.median.dim": Decomposition(_median, _is_float),
    "aten.nanmedian.default": Decomposition(lambda x: _nan_median(x.flatten())[0], _is_float),
    "aten.nanmedian.dim": Decomposition(_nan_median, _is_float),
    "aten.sort.stable": Decomposition(_stable_sort),
    "aten.argsort.stable": Decomposition(_stable_argsort),
    "aten.searchsorted.Tensor": Decomposition(_search, _has_static_edges),
    "aten.searchsorted.Scalar": Decomposition(_search_scalar, _has_static_edges),
    "aten.bucketize.Scalar": Decomposition(_bucketize_scalar, lambda x, edges, **_: isinstance(edges.shape[0], int)),
    "aten.bucketize.Tensor": Decomposition(_bucketize, lambda x, edges, **_: isinstance(edges.shape[0], int)),
}
