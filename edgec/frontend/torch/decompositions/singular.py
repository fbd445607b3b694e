"""Singular values and vectors, and eigenvalues of symmetric matrices, by Jacobi rotations in a fixed order."""

from __future__ import annotations

from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition
from edgec.frontend.torch.decompositions.linear import is_small

_SWEEPS = 6
"""The number of sweeps over all pairs of columns; convergence is quadratic."""

Triple = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _rotated(a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A V with orthogonal columns, and V, for A (…, m, n).

    One-sided Jacobi rotations (Hestenes 1958), with half of the columns paired with the other half at once, in
    round-robin order (Brent and Luk 1985). An odd number of columns is padded with zeros, which rotations do not
    affect.
    """
    m, n = a.shape[-2:]
    one = torch.eye(n, dtype=a.dtype, device=a.device).expand(*a.shape[:-2], n, n)
    both = torch.cat([a, one], -2)
    if n > 1:
        filled = torch.cat([both, torch.zeros_like(both[..., :1])], -1) if n % 2 else both
        half = (n + 1) // 2
        left, right = filled[..., :half], filled[..., half:]
        for _ in range(_SWEEPS * (2 * half - 1)):
            left, right = _orthogonal(left, right, m)
            if half > 1:
                head, last = left[..., :1], left[..., half - 1 :]
                left = torch.cat([head, right[..., :1], left[..., 1 : half - 1]], -1)
                right = torch.cat([right[..., 1:], last], -1)
        both = torch.cat([left, right], -1)[..., :n]
    return both[..., :m, :], both[..., m:, :]


def _orthogonal(left: torch.Tensor, right: torch.Tensor, m: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotate each column with its partner so that their first `m` rows are orthogonal, by the smaller angle."""
    p, q = left[..., :m, :], right[..., :m, :]
    apart = (q * q).sum(-2, keepdim=True) - (p * p).sum(-2, keepdim=True)
    twice = 2 * (p * q).sum(-2, keepdim=True)
    size = torch.abs(apart) + torch.sqrt(apart * apart + twice * twice)
    signed = torch.where(apart < 0, -twice, twice)
    tangent = torch.where(size > 0, signed / torch.where(size > 0, size, torch.ones_like(size)), torch.zeros_like(size))
    cosine = torch.rsqrt(1 + tangent * tangent)
    sine = cosine * tangent
    return cosine * left - sine * right, sine * left + cosine * right


def _singular(a: torch.Tensor) -> Triple:
    """U, the singular values in descending order, and V, of (…, m, n) with m ≥ n."""
    columns, v = _rotated(a)
    values, order = torch.sort(torch.sqrt((columns * columns).sum(-2)), -1, descending=True)
    columns, v = (torch.gather(x, -1, order.unsqueeze(-2).expand(x.shape)) for x in (columns, v))
    safe = torch.where(values > 0, values, torch.ones_like(values))
    return columns / safe.unsqueeze(-2), values, v


def _svd(a: torch.Tensor, full_matrices: bool = False, compute_uv: bool = True, *, driver: str | None = None) -> Triple:
    """U, S and Vᴴ. The signs of a pair of vectors are arbitrary, and not always LAPACK's."""
    if a.shape[-2] < a.shape[-1]:
        v, values, u = _singular(a.mT)
    else:
        u, values, v = _singular(a)
    return (u, values, v.mT) if compute_uv else (a.new_zeros(0), values, a.new_zeros(0))


def _is_thin(a: torch.Tensor, full_matrices: bool = False, compute_uv: bool = True, **_: Any) -> bool:
    m, n = a.shape[-2:]
    known = isinstance(m, int) and isinstance(n, int)
    return known and is_small(min(m, n)) and (m == n or not (full_matrices and compute_uv))


def _symmetric(a: torch.Tensor, triangle: str) -> torch.Tensor:
    upper = triangle.upper() == "U"
    half = torch.triu(a, 1) if upper else torch.tril(a, -1)
    return half + half.mT + torch.diag_embed(torch.diagonal(a, 0, -2, -1))


def _eigh(a: torch.Tensor, triangle: str = "L", compute_v: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues in ascending order, and vectors. A multiple of the identity is added to make all eigenvalues
    positive, and thus singular values; vᵀAv gives the original ones.
    """
    a = _symmetric(a, triangle)
    bound = torch.sqrt((a * a).sum((-2, -1), keepdim=True))
    _, v = _rotated(a + bound * torch.eye(a.shape[-1], dtype=a.dtype, device=a.device))
    values, order = torch.sort((v * torch.matmul(a, v)).sum(-2), -1)
    if not compute_v:
        return values, a.new_zeros(0)
    return values, torch.gather(v, -1, order.unsqueeze(-2).expand(v.shape))


def _pseudo_inverse(
    a: torch.Tensor, *, atol: torch.Tensor | None = None, rtol: torch.Tensor | None = None, hermitian: bool = False
) -> torch.Tensor:
    """V S⁺ Uᵀ, without singular values up to max(atol, rtol · the largest). As in `torch.linalg.pinv`, rtol defaults to
    ε · max(m, n).
    """
    u, values, vh = _svd(_symmetric(a, "L") if hermitian else a)
    epsilon = torch.finfo(a.dtype).eps * max(a.shape[-2:])
    relative = torch.full((), epsilon, dtype=a.dtype, device=a.device)
    if rtol is not None:
        relative = rtol.to(a.dtype)
    elif atol is not None:
        relative = torch.where(atol > 0, torch.zeros_like(relative), relative)
    least = relative.unsqueeze(-1) * values[..., :1]
    if atol is not None:
        least = torch.maximum(least, atol.to(a.dtype).unsqueeze(-1))
    kept = values > least
    inverse = torch.where(kept, 1 / torch.where(kept, values, torch.ones_like(values)), torch.zeros_like(values))
    return torch.matmul(vh.mT * inverse.unsqueeze(-2), u.mT)


def _is_square_and_small(a: torch.Tensor, *rest: Any, **more: Any) -> bool:
    return is_small(a.shape[-1])


def _is_narrow(a: torch.Tensor, **_: Any) -> bool:
    return _is_thin(a) and min(a.shape[-2:]) > 0


SINGULAR: dict[str, Decomposition] = {
    "aten._linalg_svd.default": Decomposition(_svd, _is_thin),
    "aten._linalg_eigh.default": Decomposition(_eigh, _is_square_and_small),
    "aten.linalg_pinv.atol_rtol_tensor": Decomposition(_pseudo_inverse, _is_narrow),
}
