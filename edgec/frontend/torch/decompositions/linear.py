"""Attention, distances, norms, and inverses, factors and determinants of small matrices."""

from __future__ import annotations

from typing import Any

import torch

from edgec.diag import error
from edgec.frontend.torch.decompositions.base import Decomposition
from edgec.frontend.torch.overrides.attention import attention

_LARGEST = 8
"""The largest number of rows for step-by-step elimination; each step takes about ten operators."""


def _distances(x: torch.Tensor, y: torch.Tensor, p: float = 2.0, compute_mode: Any = None) -> torch.Tensor:
    """The norms of all differences of two rows, which the exporter does not support."""
    norm: torch.Tensor = torch.linalg.vector_norm(x.unsqueeze(-2) - y.unsqueeze(-3), ord=p, dim=-1)
    return norm


def _pair_distances(x: torch.Tensor, p: float = 2.0) -> torch.Tensor:
    """The norms of the differences between each row and all later ones."""
    rows = x.shape[0]
    norms = [torch.linalg.vector_norm(x[i : i + 1] - x[i + 1 :], ord=p, dim=-1) for i in range(rows - 1)]
    return torch.cat(norms) if norms else x.new_zeros(0)


def _norm(x: torch.Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, **more: Any) -> torch.Tensor:
    """A norm over all dimensions, for which the exporter ignores `keepdim`."""
    norm: Any = torch.linalg.norm
    whole: torch.Tensor = norm(x, ord, **more).reshape((1,) * x.dim())
    return whole


def _is_whole(x: torch.Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, **_: Any) -> bool:
    return dim is None and keepdim


def _vector_norm(x: torch.Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, **more: Any) -> torch.Tensor:
    if not x.dim():
        return _number_norm(x, ord)
    norm: Any = torch.linalg.vector_norm
    whole: torch.Tensor = norm(x, ord, **more).reshape((1,) * x.dim())
    return whole


def _is_whole_or_number(x: torch.Tensor, *rest: Any, **more: Any) -> bool:
    return x.dim() == 0 or _is_whole(x, *rest, **more)


def _number_norm(x: torch.Tensor, ord: Any) -> torch.Tensor:
    """The norm of a 0-d tensor, for which the exporter looks up dimensions."""
    return (x != 0).to(x.dtype) if ord == 0 else torch.abs(x)


def is_small(rows: Any) -> bool:
    """Whether a matrix with that many rows is eliminated step by step."""
    return isinstance(rows, int) and rows <= _LARGEST


def _small(a: torch.Tensor) -> int:
    """The number of rows. Raises `EdgecError` E0202 if it is too large or dynamic."""
    n = a.shape[-1]
    if is_small(n):
        return int(n)
    raise error(
        "E0202",
        f"a matrix of {n} rows is too large to be inverted or factored",
        notes=["rejected by `matrix-too-large`", f"up to {_LARGEST} rows are supported, by elimination step by step"],
    )


def _eliminate(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gauss-Jordan elimination with partial pivoting: a⁻¹b and det a, for a (…, n, n) and b (…, n, m).

    Raises `EdgecError` E0202 for matrices of dynamic size or with more than `_LARGEST` rows.
    """
    n = _small(a)
    if n == 0:
        return b.expand(*a.shape[:-2], *b.shape[-2:]).clone(), a.new_ones(a.shape[:-2])
    rows = torch.cat([a, b.expand(*a.shape[:-2], *b.shape[-2:])], -1)
    position = torch.arange(n, device=a.device).reshape(n, 1)
    determinant = torch.ones_like(a[..., 0, 0])
    for k in range(n):
        column = rows[..., k : k + 1]
        size = torch.where(position < k, torch.full_like(column, -1.0), torch.abs(column))
        chosen = torch.argmax(size, -2, keepdim=True)
        pivot_row = torch.gather(rows, -2, chosen.expand(*chosen.shape[:-1], rows.shape[-1]))
        rows = torch.where(position == chosen, rows[..., k : k + 1, :], rows)
        pivot = pivot_row[..., k : k + 1]
        determinant = determinant * torch.where(chosen == k, pivot, -pivot)[..., 0, 0]
        scaled = pivot_row / pivot
        rows = torch.where(position == k, scaled, rows - rows[..., k : k + 1] * scaled)
    return rows[..., n:], determinant


def inverse(a: torch.Tensor) -> torch.Tensor:
    """The inverses of matrices (…, n, n). Raises `EdgecError` E0202 for more than 8 rows or a dynamic size."""
    return _eliminate(a, torch.eye(a.shape[-1], dtype=a.dtype, device=a.device))[0]


def solve(a: torch.Tensor, b: torch.Tensor, *, left: bool = True) -> torch.Tensor:
    """x with a x = b, or x a = b. Raises like `inverse`."""
    if not left:
        return solve(a.transpose(-1, -2), b.transpose(-1, -2)).transpose(-1, -2)
    if b.dim() == 1 or (b.dim() == a.dim() - 1 and b.shape == a.shape[:-1]):
        return solve(a, b.unsqueeze(-1)).squeeze(-1)
    broadcast: Any = torch.broadcast_shapes
    batch = broadcast(a.shape[:-2], b.shape[:-2])
    return _eliminate(a.expand(*batch, *a.shape[-2:]), b)[0]


def _determinant(a: torch.Tensor) -> torch.Tensor:
    """By elimination with partial pivoting; zero if a column of candidates is zero. Raises like `inverse`."""
    n, rows = _small(a), a
    position = torch.arange(n, device=a.device).reshape(n, 1)
    determinant = a.new_ones(a.shape[:-2])
    for k in range(n):
        column = rows[..., k : k + 1]
        size = torch.where(position < k, torch.full_like(column, -1.0), torch.abs(column))
        chosen = torch.argmax(size, -2, keepdim=True)
        pivot_row = torch.gather(rows, -2, chosen.expand(*chosen.shape[:-1], n))
        rows = torch.where(position == chosen, rows[..., k : k + 1, :], rows)
        pivot = pivot_row[..., k : k + 1]
        determinant = determinant * torch.where(chosen == k, pivot, -pivot)[..., 0, 0]
        scaled = pivot_row / torch.where(pivot == 0, torch.ones_like(pivot), pivot)
        rows = rows - rows[..., k : k + 1] * scaled
    return determinant


def _sign_and_log(a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    found = _determinant(a)
    return torch.sign(found), torch.log(torch.abs(found))


def _cholesky(a: torch.Tensor, *, upper: bool = False) -> torch.Tensor:
    """L with L Lᵀ = a, column by column. Only one triangle of `a` is read, as in torch."""
    n = _small(a)
    if upper:
        return _cholesky(a.transpose(-1, -2)).transpose(-1, -2)
    columns: list[torch.Tensor] = []
    for k in range(n):
        left = a[..., k:, k]
        for column in columns:
            left = left - column[..., k:] * column[..., k : k + 1]
        column = left / torch.sqrt(left[..., :1])
        columns.append(torch.cat([torch.zeros_like(a[..., :k, k]), column], -1))
    return torch.stack(columns, -1) if columns else a.clone()


def _cholesky_with_info(
    a: torch.Tensor, *, upper: bool = False, check_errors: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """With the index of the first column whose pivot is not positive, or zero. That column keeps the pivot found, and
    later columns keep their input values (LAPACK's spotf2).
    """
    n = _small(a)
    if upper:
        factor, failed = _cholesky_with_info(a.transpose(-1, -2))
        return factor.transpose(-1, -2), failed
    failed = torch.zeros(a.shape[:-2], dtype=torch.int32, device=a.device)
    columns: list[torch.Tensor] = []
    for k in range(n):
        left = a[..., k:, k]
        for column in columns:
            left = left - column[..., k:] * column[..., k : k + 1]
        pivot, sound = left[..., :1], (failed == 0).unsqueeze(-1)
        root = torch.sqrt(torch.where(pivot > 0, pivot, torch.ones_like(pivot)))
        halted = torch.cat([torch.where(sound, pivot, a[..., k : k + 1, k]), a[..., k + 1 :, k]], -1)
        column = torch.where(sound & (pivot > 0), left / root, halted)
        failed = torch.where((failed == 0) & ~(pivot[..., 0] > 0), torch.full_like(failed, k + 1), failed)
        columns.append(torch.cat([torch.zeros_like(a[..., :k, k]), column], -1))
    return (torch.stack(columns, -1) if columns else a.clone()), failed


def solve_triangular(
    a: torch.Tensor, b: torch.Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> torch.Tensor:
    """`solve` for one triangle of `a`; with `unitriangular` its diagonal is taken to be ones."""
    kept = torch.triu(a) if upper else torch.tril(a)
    if unitriangular:
        identity = torch.eye(_small(a), dtype=a.dtype, device=a.device)
        kept = kept * (1 - identity) + identity
    return solve(kept, b, left=left)


def _triangular_solve(
    b: torch.Tensor, a: torch.Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """The older operator, which also returns the matrix."""
    turned, lower = (a.transpose(-1, -2), not upper) if transpose else (a, upper)
    return solve_triangular(turned, b, upper=lower, unitriangular=unitriangular), a.clone()


def _cholesky_inverse(factor: torch.Tensor, upper: bool = False) -> torch.Tensor:
    one = torch.eye(_small(factor), dtype=factor.dtype, device=factor.device)
    return _cholesky_solve(one, factor, upper)


def _cholesky_solve(b: torch.Tensor, factor: torch.Tensor, upper: bool = False) -> torch.Tensor:
    """Solve with one factor, then the other: their product would be much worse conditioned."""
    kept = torch.triu(factor) if upper else torch.tril(factor)
    first, second = (kept.transpose(-1, -2), kept) if upper else (kept, kept.transpose(-1, -2))
    return solve(second, solve(first, b))


def _attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: Any = None, dropout_p: float = 0.0, *rest: Any, **more: Any
) -> torch.Tensor:
    """Raises `EdgecError` E0202 for dropout of the attention weights, which the exporter ignores."""
    if dropout_p:
        raise error(
            "E0202",
            f"attention applies random dropout with probability {dropout_p:g}",
            notes=["rejected by `random-numbers`"],
            help=["pass `dropout_p=self.dropout if self.training else 0.0`"],
        )
    return attention(q, k, v, mask, dropout_p, *rest, **more)


def _needs_folding(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *rest: Any, **more: Any) -> bool:
    """Whether the exporter fails: it supports four dimensions, equal batch dimensions and no dropout only."""
    drops = (rest[1] if len(rest) > 1 else more.get("dropout_p", 0.0)) > 0
    return drops or q.dim() != 4 or (not more.get("enable_gqa") and not q.shape[:-2] == k.shape[:-2] == v.shape[:-2])


LINEAR: dict[str, Decomposition] = {
    "aten.scaled_dot_product_attention.default": Decomposition(_attention, _needs_folding),
    "aten.cdist.default": Decomposition(_distances),
    "aten.pdist.default": Decomposition(_pair_distances, lambda x, *_: isinstance(x.shape[0], int)),
    "aten.linalg_norm.default": Decomposition(_norm, _is_whole),
    "aten.linalg_vector_norm.default": Decomposition(_vector_norm, _is_whole_or_number),
    "aten.linalg_inv.default": Decomposition(inverse),
    "aten.inverse.default": Decomposition(inverse),
    "aten.linalg_solve.default": Decomposition(solve),
    "aten.linalg_cholesky.default": Decomposition(_cholesky),
    "aten.cholesky.default": Decomposition(lambda a, upper=False: _cholesky(a, upper=upper)),
    "aten.linalg_cholesky_ex.default": Decomposition(_cholesky_with_info),
    "aten.linalg_solve_triangular.default": Decomposition(solve_triangular),
    "aten.triangular_solve.default": Decomposition(_triangular_solve),
    "aten.cholesky_inverse.default": Decomposition(_cholesky_inverse),
    "aten.cholesky_solve.default": Decomposition(_cholesky_solve),
    "aten.linalg_det.default": Decomposition(_determinant),
    "aten.det.default": Decomposition(_determinant),
    "aten.logdet.default": Decomposition(lambda a: torch.log(_determinant(a))),
    "aten.linalg_slogdet.default": Decomposition(_sign_and_log),
    "aten.slogdet.default": Decomposition(_sign_and_log),
}
