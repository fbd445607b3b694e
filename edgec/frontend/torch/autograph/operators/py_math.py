"""`math`, `round`, `min` and `max` for tensors that represent numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgec.frontend.torch.autograph.operators.branches import merge
from edgec.frontend.torch.autograph.operators.select import Site

_EXTREME = Site("min or max", "", 0, (0, 0))


def extreme(function: Callable[..., Any], values: Sequence[Any], options: dict[str, Any]) -> Any:
    """`min` or `max` of the values by their `key`; of equal ones the first, as in Python."""
    key = options.get("key") or _itself
    ranks = [key(value) for value in values]
    if not any(isinstance(rank, torch.Tensor) for rank in ranks):
        return function(values, **options)
    (best, *others), (rank, *ranks) = values, ranks
    for value, other in zip(others, ranks, strict=True):
        beats = torch.as_tensor(other < rank if function is min else other > rank).reshape(())
        best, rank = merge(beats, "", _EXTREME, value, best), merge(beats, "", _EXTREME, other, rank)
    return best


def ordered(values: Sequence[Any], options: dict[str, Any]) -> list[Any]:
    """The values stably sorted by their `key`; they must have one shape and type to be stacked in a tensor."""
    key = options.get("key") or _itself
    ranks = [key(value) for value in values]
    if not any(isinstance(rank, torch.Tensor) for rank in ranks):
        return sorted(values, **options)
    order = torch.stack([torch.as_tensor(r).reshape(()) for r in ranks])
    order = order.sort(stable=True, descending=bool(options.get("reverse", False))).indices
    leaves = [pytree.tree_flatten(value) for value in values]
    columns = zip(*(found for found, _ in leaves), strict=True)
    sorted_columns = [torch.stack([torch.as_tensor(v) for v in column])[order].unbind(0) for column in columns]
    return [pytree.tree_unflatten(list(row), leaves[0][1]) for row in zip(*sorted_columns, strict=True)]


def _itself(value: Any) -> Any:
    return value


def _float(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A function of one number, which Python converts to float."""

    def form(value: torch.Tensor) -> torch.Tensor:
        return function(value if value.is_floating_point() else value.to(torch.float32))

    return form


def _whole(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A rounding function, which returns an integer in Python."""

    def form(value: torch.Tensor, digits: int | None = None) -> torch.Tensor:
        if digits is not None:
            return torch.round(value, decimals=digits)
        return function(value).to(torch.int64)

    return form


def _two(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A function of two numbers."""

    def form(a: Any, b: Any) -> torch.Tensor:
        first, second = (torch.as_tensor(v, dtype=torch.float32) for v in (a, b))
        return function(first, second)

    return form


def _is_close(a: Any, b: Any, *, rel_tol: float = 1e-9, abs_tol: float = 0.0) -> torch.Tensor:
    """|a − b| ≤ max(rel_tol · max(|a|, |b|), abs_tol); an infinity is close only to itself."""
    first, second = (torch.as_tensor(v, dtype=torch.float32) for v in (a, b))
    larger = torch.maximum(first.abs(), second.abs())
    near = (first - second).abs() <= torch.clamp(rel_tol * larger, min=abs_tol)
    return (first == second) | (near & torch.isfinite(larger))


def _log(value: Any, base: Any = math.e) -> torch.Tensor:
    """`math.log(x, base)`."""
    logarithm = torch.log(torch.as_tensor(value, dtype=torch.float32))
    return logarithm if base == math.e else logarithm / torch.log(torch.as_tensor(base, dtype=torch.float32))


def _divmod(a: Any, b: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """`divmod(a, b)`."""
    return a // b, a % b


FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    divmod: _divmod,
    round: _whole(torch.round),
    math.floor: _whole(torch.floor),
    math.ceil: _whole(torch.ceil),
    math.trunc: _whole(torch.trunc),
    math.sqrt: _float(torch.sqrt),
    math.exp: _float(torch.exp),
    math.expm1: _float(torch.expm1),
    math.log: _log,
    math.log2: _float(torch.log2),
    math.log10: _float(torch.log10),
    math.log1p: _float(torch.log1p),
    math.sin: _float(torch.sin),
    math.cos: _float(torch.cos),
    math.tan: _float(torch.tan),
    math.asin: _float(torch.asin),
    math.acos: _float(torch.acos),
    math.atan: _float(torch.atan),
    math.sinh: _float(torch.sinh),
    math.cosh: _float(torch.cosh),
    math.tanh: _float(torch.tanh),
    math.erf: _float(torch.erf),
    math.fabs: _float(torch.abs),
    math.radians: _float(torch.deg2rad),
    math.degrees: _float(torch.rad2deg),
    math.isnan: _float(torch.isnan),
    math.isinf: _float(torch.isinf),
    math.isfinite: _float(torch.isfinite),
    math.isclose: _is_close,
    math.pow: _two(torch.pow),
    math.atan2: _two(torch.atan2),
    math.hypot: _two(torch.hypot),
    math.fmod: _two(torch.fmod),
    math.copysign: _two(torch.copysign),
}
"""Each function's form for 0-d tensors. Where Python raises, as for a negative square root, the result is NaN."""

NAMES = frozenset(function.__name__ for function in FUNCTIONS)
