"""Operators for which torch's own decomposition is better than the exporter's translation of the whole operator.

The translation stacks with sequences of tensors, ignores keywords, or fails on an inner operator that has a
decomposition in edgec.
"""

from __future__ import annotations

from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition

aten = torch.ops.aten


def _has_negative_power(x: torch.Tensor, n: int) -> bool:
    return n < 0


def _is_spectral(x: torch.Tensor, order: float, *rest: Any, **more: Any) -> bool:
    return abs(order) == 2


def _is_nuclear(x: torch.Tensor, order: str, *rest: Any, **more: Any) -> bool:
    return order == "nuc"


def _join_nothing(tensors: Any, dim: int = 0) -> torch.Tensor:
    """Concatenation of empty tensors only: the exporter drops empty tensors and is left without operands."""
    found = torch.cat([t.to(torch.int32) for t in tensors], dim)
    first = tensors[0]
    kind = first.dtype
    for other in tensors[1:]:
        kind = torch.promote_types(kind, other.dtype)
    return torch.zeros(found.shape, dtype=kind, device=first.device)


def _are_empty(tensors: Any, dim: int = 0) -> bool:
    return all(isinstance(t.numel(), int) and t.numel() == 0 for t in tensors)


def _check_nothing(*args: Any, **kwargs: Any) -> None:
    """No check: torch raises if a factorization failed, which an artifact cannot do."""


COMPOSITE: dict[str, Decomposition] = {
    **{
        str(operator): Decomposition(operator)
        for operator in (
            aten.hstack.default,
            aten.vstack.default,
            aten.dstack.default,
            aten.column_stack.default,
            aten.atleast_1d.Sequence,
            aten.atleast_2d.Sequence,
            aten.atleast_3d.Sequence,
            aten.linalg_vander.default,
            aten.linalg_tensorinv.default,
            aten.linalg_tensorsolve.default,
            aten.special_multigammaln.default,
            aten.matrix_exp.default,
            aten.linalg_svdvals.default,
            aten.linalg_eigvalsh.default,
            aten.linalg_cond.default,
            aten.linalg_cond.p_str,
            aten.nuclear_norm.default,
            aten.nuclear_norm.dim,
            aten.linalg_matrix_rank.atol_rtol_float,
            aten.linalg_matrix_rank.atol_rtol_tensor,
            aten.linalg_matrix_rank.default,
            aten.linalg_pinv.atol_rtol_float,
            aten.linalg_pinv.default,
            aten.pinverse.default,
            aten.qr.default,
            aten.svd.default,
            aten.linalg_svd.default,
            aten.linalg_eigh.default,
            aten.linalg_lu_factor.default,
            aten.linalg_solve_ex.default,
            aten.special_gammainc.default,
            aten.special_gammaincc.default,
            aten.special_polygamma.default,
        )
    },
    "aten.linalg_matrix_power.default": Decomposition(aten.linalg_matrix_power.default, _has_negative_power),
    "aten.linalg_matrix_norm.default": Decomposition(aten.linalg_matrix_norm.default, _is_spectral),
    "aten.linalg_matrix_norm.str_ord": Decomposition(aten.linalg_matrix_norm.str_ord, _is_nuclear),
    "aten.linalg_norm.ord_str": Decomposition(aten.linalg_norm.ord_str, _is_nuclear),
    "aten._linalg_check_errors.default": Decomposition(_check_nothing),
    "aten.cat.default": Decomposition(_join_nothing, _are_empty),
}
