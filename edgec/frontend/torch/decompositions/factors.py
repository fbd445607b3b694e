"""Triangular and orthogonal factors of small matrices, by LAPACK's algorithms: torch exposes their signs and pivots."""

from __future__ import annotations

from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition
from edgec.frontend.torch.decompositions.linear import inverse, is_small, solve, solve_triangular

Factored = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _lu(a: torch.Tensor, *, pivot: bool = True, check_errors: bool = False) -> Factored:
    """Both factors of (…, m, n) in one matrix, the (1-based) row swapped in each step, and the (1-based) index of the
    first zero pivot, or zero (LAPACK's getrf).
    """
    m, n = a.shape[-2:]
    row = torch.arange(m, device=a.device).reshape(m, 1)
    info = torch.zeros(a.shape[:-2], dtype=torch.int32, device=a.device)
    swaps = [torch.zeros((*a.shape[:-2], 0), dtype=torch.int32, device=a.device)]
    for k in range(min(m, n)):
        column = a[..., k : k + 1]
        size = torch.where(row < k, torch.full_like(column, -1.0), torch.abs(column))
        chosen = torch.argmax(size, -2, keepdim=True) if pivot else torch.full_like(size[..., :1, :], k).to(torch.int64)
        swaps.append(chosen[..., 0].to(torch.int32) + 1)
        a = _swapped(a, k, chosen)
        head = a[..., k : k + 1, k : k + 1]
        info = torch.where((info == 0) & (head[..., 0, 0] == 0), torch.full_like(info, k + 1), info)
        below = row > k
        scaled = a[..., k : k + 1] / torch.where(head == 0, torch.ones_like(head), head)
        rest = a[..., k + 1 :] - torch.where(below, scaled, torch.zeros_like(scaled)) * a[..., k : k + 1, k + 1 :]
        a = torch.cat([a[..., :k], torch.where(below, scaled, a[..., k : k + 1]), rest], -1)
    return a, torch.cat(swaps, -1), info


def _swapped(a: torch.Tensor, k: int, other: torch.Tensor) -> torch.Tensor:
    """Rows k and `other` (…, 1, 1) of (…, m, n) exchanged."""
    row = torch.arange(a.shape[-2], device=a.device).reshape(-1, 1)
    theirs = torch.gather(a, -2, other.expand(*other.shape[:-1], a.shape[-1]))
    return torch.where(row == k, theirs, torch.where(row == other, a[..., k : k + 1, :], a))


def _permuted(b: torch.Tensor, pivots: torch.Tensor, *, back: bool = False) -> torch.Tensor:
    """The rows of `b`, permuted as in the factorization or, if `back`, inversely."""
    steps = range(pivots.shape[-1])
    for k in reversed(steps) if back else steps:
        b = _swapped(b, k, (pivots[..., k : k + 1].to(torch.int64) - 1).unsqueeze(-1))
    return b


def _unpacked(lu: torch.Tensor, pivots: torch.Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> Factored:
    """P, L and U of A = P L U."""
    m, n = lu.shape[-2:]
    k, empty = min(m, n), lu.new_zeros(0)
    one = torch.eye(m, k, dtype=lu.dtype, device=lu.device)
    lower, upper = torch.tril(lu[..., :k], -1) + one, torch.triu(lu[..., :k, :])
    square = torch.eye(m, dtype=lu.dtype, device=lu.device).expand(*lu.shape[:-2], m, m)
    swapped = _permuted(square, pivots, back=True) if unpack_pivots else empty
    return swapped, *((lower, upper) if unpack_data else (empty, empty.clone()))


def _lu_factors(a: torch.Tensor, *, pivot: bool = True) -> Factored:
    found, pivots, _ = _lu(a, pivot=pivot)
    return _unpacked(found, pivots, True, pivot)


def _lu_solve(
    lu: torch.Tensor, pivots: torch.Tensor, b: torch.Tensor, *, left: bool = True, adjoint: bool = False
) -> torch.Tensor:
    if not left:
        return _lu_solve(lu, pivots, b.mT, adjoint=not adjoint).mT
    broadcast: Any = torch.broadcast_shapes
    b = b.expand(*broadcast(lu.shape[:-2], b.shape[:-2]), *b.shape[-2:])
    pivots = pivots.expand(*b.shape[:-2], pivots.shape[-1])
    if adjoint:
        inner = solve_triangular(lu.mT, b, upper=False)
        return _permuted(solve_triangular(lu.mT, inner, upper=True, unitriangular=True), pivots, back=True)
    inner = solve_triangular(lu, _permuted(b, pivots), upper=False, unitriangular=True)
    return solve_triangular(lu, inner, upper=True)


def _inverse_with_info(a: torch.Tensor, *, check_errors: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """The inverse and the index of the first zero pivot, or zero; a singular matrix gives infinities."""
    return inverse(a), _lu(a)[2]


def _solution_with_info(
    a: torch.Tensor, b: torch.Tensor, *, left: bool = True, check_errors: bool = False
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return solve(a, b, left=left), *_lu(a)


def _reflectors(a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """R above the diagonal, the reflectors below it without their leading one, and their coefficients (geqrf)."""
    m, n = a.shape[-2:]
    taus = [a.new_zeros((*a.shape[:-2], 0))]
    for k in range(min(m, n)):
        head, tail = a[..., k : k + 1, k], a[..., k + 1 :, k]
        below = torch.sqrt((tail * tail).sum(-1, keepdim=True))
        flat = below == 0
        size = torch.sqrt(head * head + below * below)
        beta = torch.where(flat, head, torch.where(head < 0, size, -size))
        safe = torch.where(flat, torch.ones_like(beta), beta)
        tau = torch.where(flat, torch.zeros_like(beta), (beta - head) / safe)
        v = tail / torch.where(flat, torch.ones_like(beta), head - beta)
        full = torch.cat([torch.zeros_like(a[..., :k, k]), torch.ones_like(head), v], -1).unsqueeze(-1)
        rest = _reflected(a[..., k + 1 :], full, tau.unsqueeze(-1))
        a = torch.cat([a[..., :k], torch.cat([a[..., :k, k], beta, v], -1).unsqueeze(-1), rest], -1)
        taus.append(tau)
    return a, torch.cat(taus, -1)


def _reflected(x: torch.Tensor, v: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
    """(1 − τ v vᵀ) x."""
    return x - tau * v * (v * x).sum(-2, keepdim=True)


def _reflector(a: torch.Tensor, k: int) -> torch.Tensor:
    tail = a[..., k + 1 :, k : k + 1]
    return torch.cat([torch.zeros_like(a[..., :k, k : k + 1]), torch.ones_like(a[..., k : k + 1, :1]), tail], -2)


def _product_of_reflectors(a: torch.Tensor, tau: torch.Tensor, columns: int | None = None) -> torch.Tensor:
    """The first `columns` of H₁ H₂ … (LAPACK's orgqr); by default as many as `a` has."""
    m = a.shape[-2]
    count = a.shape[-1] if columns is None else columns
    found = torch.eye(m, count, dtype=a.dtype, device=a.device).expand(*a.shape[:-2], m, count)
    for k in reversed(range(tau.shape[-1])):
        found = _reflected(found, _reflector(a, k), tau[..., k : k + 1].unsqueeze(-1))
    return found


def _times_reflectors(
    a: torch.Tensor, tau: torch.Tensor, other: torch.Tensor, left: bool = True, transpose: bool = False
) -> torch.Tensor:
    """Q · other or other · Q, Q transposed or not (LAPACK's ormqr)."""
    if not left:
        return _times_reflectors(a, tau, other.mT, True, not transpose).mT
    steps = range(tau.shape[-1])
    for k in steps if transpose else reversed(steps):
        other = _reflected(other, _reflector(a, k), tau[..., k : k + 1].unsqueeze(-1))
    return other


def _qr(a: torch.Tensor, mode: str = "reduced") -> tuple[torch.Tensor, torch.Tensor]:
    m, n = a.shape[-2:]
    packed, tau = _reflectors(a)
    rows = m if mode == "complete" else min(m, n)
    r = torch.triu(packed[..., :rows, :])
    return (a.new_zeros(0) if mode == "r" else _product_of_reflectors(packed, tau, rows)), r


_TERMS = 9
_HALVINGS = 12


def _exponential(a: torch.Tensor) -> torch.Tensor:
    """e^A by Taylor's series of A / 2^s, squared s times, s the least for which the norm is below 1/2, up to 12 (Moler
    and Van Loan, Nineteen dubious ways, method 3).
    """
    size = torch.abs(a).sum(-2, keepdim=True).amax(-1, keepdim=True)
    scale, halvings = torch.ones_like(size), torch.zeros_like(size)
    for _ in range(_HALVINGS):
        large = (size * scale > 0.5).to(a.dtype)
        scale, halvings = scale * (1 - large / 2), halvings + large
    small, one = a * scale, torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
    found = one.expand(a.shape)
    for k in range(_TERMS, 0, -1):
        found = one + torch.matmul(small, found) / k
    for k in range(_HALVINGS):
        found = torch.where(halvings > k, torch.matmul(found, found), found)
    return found


def _is_short(a: torch.Tensor, *rest: Any, **more: Any) -> bool:
    """Whether the number of steps is small."""
    return all(isinstance(size, int) for size in a.shape[-2:]) and is_small(min(a.shape[-2:]))


def _are_short(a: torch.Tensor, tau: torch.Tensor, *rest: Any, **more: Any) -> bool:
    return all(isinstance(size, int) for size in a.shape[-2:]) and is_small(tau.shape[-1])


FACTORS: dict[str, Decomposition] = {
    "aten.linalg_inv_ex.default": Decomposition(_inverse_with_info),
    "aten._linalg_solve_ex.default": Decomposition(_solution_with_info),
    "aten.linalg_lu_factor_ex.default": Decomposition(_lu, _is_short),
    "aten._lu_with_info.default": Decomposition(
        lambda a, pivot=True, check_errors=True: _lu(a, pivot=pivot), _is_short
    ),
    "aten.linalg_lu.default": Decomposition(_lu_factors, _is_short),
    "aten.lu_unpack.default": Decomposition(_unpacked, _are_short),
    "aten.linalg_lu_solve.default": Decomposition(_lu_solve, _are_short),
    "aten.lu_solve.default": Decomposition(
        lambda b, lu, pivots: _lu_solve(lu, pivots, b), lambda b, lu, pivots: _are_short(lu, pivots)
    ),
    "aten.geqrf.default": Decomposition(_reflectors, _is_short),
    "aten.linalg_householder_product.default": Decomposition(_product_of_reflectors, _are_short),
    "aten.orgqr.default": Decomposition(_product_of_reflectors, _are_short),
    "aten.ormqr.default": Decomposition(_times_reflectors, _are_short),
    "aten.linalg_qr.default": Decomposition(_qr, _is_short),
    "aten.linalg_matrix_exp.default": Decomposition(_exponential),
}
