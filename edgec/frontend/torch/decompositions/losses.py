"""Losses and log-probabilities, with formulas that preserve small values."""

from __future__ import annotations

import math
from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition


def _log1p(x: torch.Tensor) -> torch.Tensor:
    """log(1 + x), by its series for small x: ONNX only has the logarithm, and 1 + x loses the digits of x."""
    series = x * (1 - x * (1 / 2 - x * (1 / 3 - x / 4)))
    return torch.where(torch.abs(x) < 0.02, series, torch.log(1 + x))


def _log_sigmoid(x: torch.Tensor) -> torch.Tensor:
    """min(x, 0) − log(1 + e^−|x|); the exporter takes the logarithm of a sigmoid, which underflows."""
    return torch.clamp(x, max=0) - _log1p(torch.exp(-torch.abs(x)))


def _reduced(loss: torch.Tensor, reduction: int) -> torch.Tensor:
    """Reduction as numbered by torch: 0 none, 1 mean, 2 sum."""
    return loss.mean() if reduction == 1 else loss.sum() if reduction == 2 else loss


def _cross_entropy_with_logits(
    x: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    pos_weight: torch.Tensor | None = None,
    reduction: int = 1,
) -> torch.Tensor:
    """(1 − t)·x − (1 + (p − 1)·t)·log σ(x), weighted."""
    positive = 1 if pos_weight is None else (pos_weight - 1) * target + 1
    loss = (1 - target) * x - positive * _log_sigmoid(x)
    return _reduced(loss if weight is None else loss * weight, reduction)


def _soft_margin(x: torch.Tensor, target: torch.Tensor, reduction: int = 1) -> torch.Tensor:
    """log(1 + e^−tx) as torch computes it: infinite if e^−tx is."""
    return _reduced(_log1p(torch.exp(-target * x)), reduction)


def _cross_entropy(
    x: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    reduction: int = 1,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """With class indices: (1 − s) times the entropy of the target class, plus s / C times that of every class.

    The exporter ignores label smoothing, and supports neither probabilities nor a sample without a batch dimension.
    """
    dim = 1 if x.dim() > 1 else 0
    if target.is_floating_point():
        return _entropy_of_probabilities(x, target, weight, reduction, label_smoothing)
    logits = torch.log_softmax(x, dim)
    weights = torch.ones(1, dtype=x.dtype, device=x.device) if weight is None else weight
    shape = [1] * x.dim()
    shape[dim] = -1
    weighted = logits * weights.reshape(shape)
    kept = target != ignore_index
    safe = torch.where(kept, target, torch.zeros_like(target))
    own = torch.gather(weighted, dim, safe.unsqueeze(dim)).squeeze(dim)
    share = label_smoothing / x.shape[dim]
    loss = -(own * (1 - label_smoothing) + weighted.sum(dim) * share) * kept.to(x.dtype)
    if reduction != 1:
        return _reduced(loss, reduction)
    counted = kept.to(x.dtype) if weight is None else weights[safe] * kept.to(x.dtype)
    return loss.sum() / counted.sum()


def _entropy_of_probabilities(
    x: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None, reduction: int, smoothing: float
) -> torch.Tensor:
    """−Σ_c w_c · y_c · log p_c; its mean is over the samples, regardless of their weights."""
    dim = 1 if x.dim() > 1 else 0
    shape = [1] * x.dim()
    shape[dim] = -1
    wanted = target * (1 - smoothing) + smoothing / x.shape[dim] if smoothing else target
    terms = torch.log_softmax(x, dim) * wanted
    loss = -(terms if weight is None else terms * weight.reshape(shape)).sum(dim)
    return _reduced(loss, reduction)


def _is_unusual(x: torch.Tensor, target: torch.Tensor, *rest: Any, label_smoothing: float = 0.0, **_: Any) -> bool:
    smoothing = rest[3] if len(rest) > 3 else label_smoothing
    return smoothing > 0 or target.is_floating_point() or x.dim() == 1


def _log_add_exp(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """log(e^a + e^b); for two equal infinities, that infinity."""
    apart = torch.abs(a - b)
    larger = torch.maximum(a, b)
    return torch.where(a == b, larger + math.log(2), larger + torch.log1p(torch.exp(-apart)))


def _log_cumulative_sum_exp(x: torch.Tensor, dim: int) -> torch.Tensor:
    """A scan with doubling steps; the exporter sums exponentials, which overflow."""
    size = x.shape[dim] if x.dim() else 1
    step = 1
    while step < size:
        later = _log_add_exp(x.narrow(dim, step, size - step), x.narrow(dim, 0, size - step))
        x = torch.cat([x.narrow(dim, 0, step), later], dim)
        step *= 2
    return x


def _static(x: torch.Tensor, dim: int) -> bool:
    return not x.dim() or isinstance(x.shape[dim], int)


LOSSES: dict[str, Decomposition] = {
    "aten.log_sigmoid.default": Decomposition(_log_sigmoid),
    "aten.binary_cross_entropy_with_logits.default": Decomposition(_cross_entropy_with_logits),
    "aten.cross_entropy_loss.default": Decomposition(_cross_entropy, _is_unusual),
    "aten.soft_margin_loss.default": Decomposition(_soft_margin),
    "aten.logaddexp.default": Decomposition(_log_add_exp),
    "aten.logcumsumexp.default": Decomposition(_log_cumulative_sum_exp, _static),
}
