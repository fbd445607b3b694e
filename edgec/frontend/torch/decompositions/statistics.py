"""Variances with few elements, and normalization by the batch's statistics."""

from __future__ import annotations

import math
from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition

Moments = tuple[torch.Tensor, torch.Tensor]


def _dims(x: torch.Tensor, dim: Any) -> list[int]:
    if dim is None or dim == []:
        return list(range(x.dim()))
    return [dim] if isinstance(dim, int) else list(dim)


def _degrees(x: torch.Tensor, dim: Any, correction: float) -> float:
    """The divisor of the sum of squares."""
    return math.prod(x.shape[d] for d in _dims(x, dim)) - correction


def _moments(x: torch.Tensor, dim: Any, correction: float, keepdim: bool) -> Moments:
    """Variance and mean. torch divides the squares by max(N − c, 0); the exporter by N, corrected by N / (N − c), which
    is wrong if that is not positive.
    """
    dims = _dims(x, dim)
    count = max(_degrees(x, dim, correction), 0.0)
    mean = x.sum(dims, keepdim=True) / math.prod(x.shape[d] for d in dims)
    squares = ((x - mean) ** 2).sum(dims, keepdim=keepdim)
    return squares / torch.full((), count, dtype=x.dtype), mean if keepdim else mean.reshape(squares.shape)


def _entries(name: str, pick: Any) -> dict[str, Decomposition]:
    """The overloads of var, std, var_mean or std_mean."""

    def default(x: torch.Tensor, unbiased: bool = True) -> Any:
        return pick(*_moments(x, None, int(unbiased), False))

    def dim(x: torch.Tensor, dims: Any, unbiased: bool = True, keepdim: bool = False) -> Any:
        return pick(*_moments(x, dims, int(unbiased), keepdim))

    def corrected(x: torch.Tensor, dims: Any = None, *, correction: Any = None, keepdim: bool = False) -> Any:
        return pick(*_moments(x, dims, 1 if correction is None else correction, keepdim))

    def few_default(x: torch.Tensor, unbiased: bool = True) -> bool:
        return _few(x, None, int(unbiased))

    def few_dim(x: torch.Tensor, dims: Any, unbiased: bool = True, keepdim: bool = False) -> bool:
        return _few(x, dims, int(unbiased))

    def few_corrected(x: torch.Tensor, dims: Any = None, *, correction: Any = None, keepdim: bool = False) -> bool:
        return _few(x, dims, 1 if correction is None else correction)

    return {
        f"aten.{name}.default": Decomposition(default, few_default),
        f"aten.{name}.dim": Decomposition(dim, few_dim),
        f"aten.{name}.correction": Decomposition(corrected, few_corrected),
    }


def _few(x: torch.Tensor, dim: Any, correction: float) -> bool:
    sizes = [x.shape[d] for d in _dims(x, dim)]
    return all(isinstance(s, int) for s in sizes) and _degrees(x, dim, correction) <= 0


def _training_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """By the batch's statistics; also returns its mean and inverse standard deviation. The exporter uses the running
    statistics instead.
    """
    axes = [0, *range(2, x.dim())]
    shape = [1, -1] + [1] * (x.dim() - 2)
    mean = x.mean(axes, keepdim=True)
    centred = x - mean
    inverse = 1 / torch.sqrt((centred * centred).mean(axes, keepdim=True) + eps)
    normal = centred * inverse
    scaled = normal if weight is None else normal * weight.reshape(shape)
    return scaled if bias is None else scaled + bias.reshape(shape), mean.reshape(-1), inverse.reshape(-1)


def _norm(*args: Any, **kwargs: Any) -> torch.Tensor:
    return _training_norm(*args[:8])[0]


def _norm_without_statistics(x: torch.Tensor, weight: Any, bias: Any, *rest: Any) -> Any:
    return _training_norm(x, weight, bias, None, None, *rest)


def _evaluated_norm(
    x: torch.Tensor, weight: Any, bias: Any, mean: Any, var: Any, training: bool, momentum: float, eps: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """By the running statistics; torch returns no batch statistics then."""
    no_training: Any = torch.ops.aten._native_batch_norm_legit_no_training.default
    nothing = x.new_zeros(0)
    return no_training(x, weight, bias, mean, var, momentum, eps)[0], nothing, nothing.clone()


def _norm_and_moments(*args: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return (_training_norm if args[5] else _evaluated_norm)(*args)


def _is_training(x: torch.Tensor, weight: Any, bias: Any, mean: Any, var: Any, training: bool, *rest: Any) -> bool:
    return training


STATISTICS: dict[str, Decomposition] = {
    **_entries("var", lambda var, mean: var),
    **_entries("std", lambda var, mean: torch.sqrt(var)),
    **_entries("var_mean", lambda var, mean: (var, mean)),
    **_entries("std_mean", lambda var, mean: (torch.sqrt(var), mean)),
    "aten.batch_norm.default": Decomposition(_norm, _is_training),
    "aten.native_batch_norm.default": Decomposition(_norm_and_moments),
    "aten._native_batch_norm_legit.default": Decomposition(_norm_and_moments),
    "aten._native_batch_norm_legit.no_stats": Decomposition(_norm_without_statistics, lambda *args: bool(args[3])),
}
