"""Functions whose textbook forms lose digits of small numbers, overflow, or take a multiple for the number below it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition


def _floats(x: Any, y: Any, *rest: Any, **more: Any) -> bool:
    return bool(torch.result_type(x, y).is_floating_point)


def _pair(x: Any, y: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Both as tensors of the type of their result."""
    kind = torch.result_type(x, y)
    a, b = (t.to(kind) if isinstance(t, torch.Tensor) else torch.full((), t, dtype=kind) for t in (x, y))
    return a, b


def _is_below(rest: torch.Tensor, divisor: torch.Tensor) -> torch.Tensor:
    """Whether a remainder that is not zero has another sign than the divisor."""
    return torch.logical_and(rest != 0, (rest < 0) != (divisor < 0))


def _remainder(x: Any, y: Any) -> torch.Tensor:
    """From C's exact fmod: x − y ⌊x / y⌋ takes 0.5 for five times 0.1, of which 0.1 in float32 is a little more."""
    a, b = _pair(x, y)
    rest = torch.fmod(a, b)
    return torch.where(_is_below(rest, b), rest + b, rest)


def _floor_divide(x: Any, y: Any) -> torch.Tensor:
    """⌊x / y⌋ by the remainder, as aten's `div_floor_floating` has it; by zero, what the division gives."""
    a, b = _pair(x, y)
    rest = torch.fmod(a, b)
    near = (a - rest) / b
    near = torch.where(_is_below(rest, b), near - 1, near)
    whole = torch.floor(near)
    whole = torch.where(near - whole > 0.5, whole + 1, whole)
    return torch.where(b == 0, a / b, whole)


def _by_mode(x: Any, y: Any, *, rounding_mode: str | None) -> torch.Tensor:
    """Of whole numbers by `//`, which is exact, where the exporter divides floats."""
    if _floats(x, y):
        return _floor_divide(x, y)
    a, b = _pair(x, y)
    quotient = torch.floor_divide(a, b)
    if rounding_mode == "floor":
        return quotient
    cut = torch.logical_and(quotient < 0, quotient * b != a)
    return quotient + cut.to(quotient.dtype)


def _rounds(x: Any, y: Any, *, rounding_mode: str | None = None) -> bool:
    return rounding_mode == "floor" or (rounding_mode == "trunc" and not _floats(x, y))


def _single(x: torch.Tensor) -> torch.Tensor:
    return x if x.is_floating_point() else x.to(torch.get_default_dtype())


def log1p(x: torch.Tensor) -> torch.Tensor:
    """ln(1 + x) = 2 artanh(x / (2 + x)), near zero by its series: some logarithms next to 1 have few digits."""
    x = _single(x)
    s = x / (2 + x)
    square = s * s
    series = torch.full_like(x, _ARTANH[-1])
    for c in reversed(_ARTANH[:-1]):
        series = series * square + c
    return torch.where(torch.abs(x) < _NEAR_ONE, s * series, torch.log(1 + x))


_ARTANH = tuple(2 / (2 * k + 1) for k in range(5))
_NEAR_ONE = 0.3
"""Up to here the next term is below 3e-9."""


def _expm1(x: torch.Tensor) -> torch.Tensor:
    """eˣ − 1 = tanh(x / 2) (eˣ + 1), where nothing cancels; far to the left the tangent is −1 itself."""
    x = _single(x)
    return torch.tanh(x * 0.5) * (torch.exp(x) + 1)


def _log_add_exp2(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """log₂(2ˣ + 2ʸ) from the larger on."""
    a, b = _pair(x, y)
    larger, apart = torch.maximum(a, b), torch.abs(a - b)
    found = larger + log1p(torch.exp2(-apart)) * (1 / math.log(2))
    return torch.where(torch.logical_and(a == b, torch.isinf(a)), a, found)


def _sign(x: torch.Tensor) -> torch.Tensor:
    """What is no number has none: zero."""
    return (x > 0).to(x.dtype) - (x < 0).to(x.dtype)


def _is_float(x: torch.Tensor) -> bool:
    return x.is_floating_point()


def is_negative(x: torch.Tensor) -> torch.Tensor:
    """Whether the sign is set; a negative zero's shows in its reciprocal."""
    return torch.logical_or(x < 0, torch.logical_and(x == 0, torch.reciprocal(x) < 0))


def _heaviside(x: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """What is no number lies not above zero."""
    a, b = _pair(x, value)
    return torch.where(a == 0, b, (a > 0).to(a.dtype))


def _logit(x: torch.Tensor, eps: float | None = None) -> torch.Tensor:
    z = torch.clamp(x, eps, 1 - (eps or 0.0))
    return torch.log(z / (1 - z))


def _x_log_y(x: Any, y: Any) -> torch.Tensor:
    """x ln y; nothing times the logarithm of zero is nothing, but not of what is no number."""
    a, b = _pair(x, y)
    kind = a.dtype if a.is_floating_point() else torch.get_default_dtype()
    a, b = a.to(kind), b.to(kind)
    found = torch.where(a == 0, torch.zeros_like(a * b), a * torch.log(b))
    return torch.where(torch.isnan(b), b, found)


def _x_log1p_y(x: Any, y: Any) -> torch.Tensor:
    """x ln(1 + y), with the same exceptions."""
    a, b = _pair(x, y)
    kind = a.dtype if a.is_floating_point() else torch.get_default_dtype()
    a, b = a.to(kind), b.to(kind)
    found = torch.where(a == 0, torch.zeros_like(a * b), a * log1p(b))
    return torch.where(torch.isnan(b), b, found)


_TWO: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "remainder": (_remainder, ("Tensor", "Scalar", "Scalar_Tensor")),
    "floor_divide": (_floor_divide, ("default", "Scalar")),
}

ACCURATE: dict[str, Decomposition] = {
    **{
        f"aten.{name}.{kind}": Decomposition(function, _floats)
        for name, (function, kinds) in _TWO.items()
        for kind in kinds
    },
    **{f"aten.div.{kind}_mode": Decomposition(_by_mode, _rounds) for kind in ("Tensor", "Scalar")},
    **{f"aten.divide.{kind}_mode": Decomposition(_by_mode, _rounds) for kind in ("Tensor", "Scalar")},
    "aten.log1p.default": Decomposition(log1p, lambda x: not x.is_complex()),
    "aten.special_log1p.default": Decomposition(log1p, lambda x: not x.is_complex()),
    "aten.expm1.default": Decomposition(_expm1, lambda x: not x.is_complex()),
    "aten.special_expm1.default": Decomposition(_expm1, lambda x: not x.is_complex()),
    "aten.logaddexp2.default": Decomposition(_log_add_exp2),
    "aten.sign.default": Decomposition(_sign, _is_float),
    "aten.sgn.default": Decomposition(_sign, _is_float),
    "aten.heaviside.default": Decomposition(_heaviside),
    "aten.logit.default": Decomposition(_logit, lambda x, eps=None: eps is not None and x.is_floating_point()),
    "aten.signbit.default": Decomposition(is_negative, _is_float),
    **{
        f"aten.{name}.{kind}": Decomposition(_x_log_y)
        for name in ("xlogy", "special_xlogy")
        for kind in ("Tensor", "Scalar_Self", "Scalar_Other")
    },
    "aten.special_xlog1py.default": Decomposition(_x_log1p_y),
    "aten.special_xlog1py.self_scalar": Decomposition(_x_log1p_y),
    "aten.special_xlog1py.other_scalar": Decomposition(_x_log1p_y),
}
