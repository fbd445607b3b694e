"""Covariances and correlations without torch's checks of the weights, which depend on data."""

from __future__ import annotations

import torch


def cov(
    x: torch.Tensor,
    *,
    correction: int = 1,
    fweights: torch.Tensor | None = None,
    aweights: torch.Tensor | None = None,
) -> torch.Tensor:
    """`torch.cov` of variables (V, N) or a single one (N): (V, V), or a number.

    Σ w (x − x̄)(x − x̄)ᵀ / max(Σw − correction · Σwa / Σw, 0), where w is the product of both weights and a are the
    `aweights` (as in ATen's Correlation.cpp).
    """
    rows = x.reshape(1, -1) if x.dim() < 2 else x
    rows = rows if rows.is_floating_point() or rows.is_complex() else rows.to(torch.get_default_dtype())
    if fweights is None and aweights is None:
        count = rows.shape[1]
        centred = rows - rows.sum(1, keepdim=True) / count
        products, freedom = centred @ centred.mT.conj(), torch.full((), max(count - correction, 0), dtype=x.dtype)
        return (products / freedom).squeeze()
    given = [w for w in (fweights, aweights) if w is not None]
    weight = (given[0] * given[1] if len(given) == 2 else given[0]).to(rows.dtype)
    total = weight.sum()
    centred = rows - (rows * weight).sum(1, keepdim=True) / total
    important = total if aweights is None else (weight * aweights).sum() / total
    freedom = total - correction * (important if aweights is not None else 1)
    products = (centred * weight) @ centred.mT.conj()
    return (products / torch.clamp(freedom, min=0)).squeeze()


def corrcoef(x: torch.Tensor) -> torch.Tensor:
    """`torch.corrcoef`: covariances divided by both standard deviations, clipped to −1 … 1."""
    found = cov(x)
    if not found.dim():
        return found / found
    deviation = torch.sqrt(torch.diagonal(found))
    return torch.clamp(found / deviation.unsqueeze(1) / deviation.unsqueeze(0), -1, 1)
