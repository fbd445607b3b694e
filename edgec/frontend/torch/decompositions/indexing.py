"""Scattered reductions, gathers of experts' rows, and indexing of 0-d tensors."""

from __future__ import annotations

from typing import Any

import torch

from edgec.diag import error
from edgec.frontend.torch.decompositions.base import Decomposition
from edgec.frontend.torch.overrides.embedding_bag import bag_operator, padded_bag_operator


def _scatter_mean(
    x: torch.Tensor, dim: int, index: torch.Tensor, source: torch.Tensor, reduce: str, *, include_self: bool = True
) -> torch.Tensor:
    """Sum divided by count; the exporter only sums. Elements that no index refers to keep their value."""
    ones = torch.ones_like(source)
    hits = torch.zeros_like(x).scatter_add(dim, index, ones)
    total = torch.zeros_like(x).scatter_add(dim, index, source)
    rounding = None if x.is_floating_point() else "floor"
    if include_self:
        return torch.div(x + total, hits + 1, rounding_mode=rounding)
    return torch.where(hits > 0, torch.div(total, torch.clamp(hits, min=1), rounding_mode=rounding), x)


def _is_mean(x: torch.Tensor, dim: int, index: torch.Tensor, source: torch.Tensor, reduce: str, **_: Any) -> bool:
    return reduce == "mean" and x.dim() > 0


def _index_reduce(
    x: torch.Tensor, dim: int, index: torch.Tensor, source: torch.Tensor, reduce: str, *, include_self: bool = True
) -> torch.Tensor:
    """As a scatter along the dimension, with the index repeated along the others."""
    if not x.dim():
        x, source = x.reshape(1), source.reshape(1)
        return torch.scatter_reduce(x, 0, index.reshape(1), source, reduce, include_self=include_self).reshape(())
    shape = [1] * x.dim()
    shape[dim] = -1
    wide = index.reshape(shape).expand(source.shape)
    return torch.scatter_reduce(x, dim, wide, source, reduce, include_self=include_self)


def _nonzero_of_scalar(x: torch.Tensor) -> torch.Tensor:
    raise error(
        "E0202",
        "the positions of nonzero elements of a single number have no coordinates",
        notes=["rejected by `data-dependent-shape`"],
        help=["compare the number itself: `x != 0`"],
    )


def _has_no_dims(x: torch.Tensor, *rest: Any) -> bool:
    return x.dim() == 0


def _grouped_product(rows: torch.Tensor, weight: torch.Tensor, offs: torch.Tensor) -> torch.Tensor:
    """Rows (S, K), sorted by expert, times their expert's weights (E, K, N); `offs` (E) are the experts' end offsets.

    With fewer rows than experts the weights are gathered for each row; otherwise every expert is applied to all rows.
    """
    position = torch.arange(rows.shape[0], device=rows.device)
    group = (offs.unsqueeze(0) <= position.unsqueeze(1)).sum(1)
    experts = weight.shape[0]
    if isinstance(rows.shape[0], int) and rows.shape[0] < experts:
        chosen = weight[torch.clamp(group, max=experts - 1)]
        products = torch.matmul(rows.unsqueeze(1), chosen).squeeze(1)
        return torch.where((group < experts).unsqueeze(1), products, torch.zeros_like(products))
    everywhere = torch.matmul(rows.unsqueeze(0), weight)
    mine = group.unsqueeze(0) == torch.arange(experts, device=rows.device).unsqueeze(1)
    return torch.where(mine.unsqueeze(-1), everywhere, torch.zeros_like(everywhere)).sum(0)


def _grouped_mm(
    rows: torch.Tensor, weight: torch.Tensor, offs: Any = None, bias: Any = None, out_dtype: Any = None
) -> torch.Tensor:
    return _grouped_product(rows, weight, offs)


def _is_by_rows(rows: torch.Tensor, weight: torch.Tensor, offs: Any = None, bias: Any = None, *rest: Any) -> bool:
    return rows.dim() == 2 and weight.dim() == 3 and offs is not None and bias is None


def _scatter_combined(
    x: torch.Tensor, dim: int, index: torch.Tensor, source: torch.Tensor, *, reduce: str
) -> torch.Tensor:
    """The older operator for a scattered sum or product."""
    return torch.scatter_reduce(x, dim, index, source, {"add": "sum", "multiply": "prod"}[reduce])


def _scatter_number(x: torch.Tensor, dim: int, index: torch.Tensor, value: Any, *, reduce: str) -> torch.Tensor:
    return _scatter_combined(x, dim, index, torch.full(index.shape, value, dtype=x.dtype), reduce=reduce)


def _top_of_number(x: torch.Tensor, k: int, *rest: Any, **more: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """For a 0-d tensor, for which the exporter looks up a dimension."""
    return x.clone(), torch.zeros((), dtype=torch.int64)


INDEXING: dict[str, Decomposition] = {
    "aten.scatter_reduce.two": Decomposition(_scatter_mean, _is_mean),
    "aten.scatter.reduce": Decomposition(_scatter_combined),
    "aten.scatter.value_reduce": Decomposition(_scatter_number),
    "aten.topk.default": Decomposition(_top_of_number, _has_no_dims),
    "aten.index_reduce.default": Decomposition(_index_reduce),
    "aten.nonzero.default": Decomposition(_nonzero_of_scalar, _has_no_dims),
    "aten.argwhere.default": Decomposition(_nonzero_of_scalar, _has_no_dims),
    "aten.embedding_bag.default": Decomposition(bag_operator),
    "aten.embedding_bag.padding_idx": Decomposition(padded_bag_operator),
    "aten._embedding_bag.default": Decomposition(bag_operator),
    "aten._embedding_bag_forward_only.default": Decomposition(bag_operator),
    "aten._grouped_mm.default": Decomposition(_grouped_mm, _is_by_rows),
    "transformers.grouped_mm_fallback.default": Decomposition(_grouped_mm),
}
