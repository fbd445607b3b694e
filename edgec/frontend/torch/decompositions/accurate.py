"""Functions whose textbook formulas lose digits of small numbers, overflow, or round a quotient up to an integer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition


def _floats(x: Any, y: Any, *rest: Any, **more: Any) -> bool:
    return bool(torch.result_type(x, y).is_floating_point)


def _pair(x: Any, y: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Both as tensors of their result type."""
    kind = torch.result_type(x, y)
    a, b = (t.to(kind) if isinstance(t, torch.Tensor) else torch.full((), t, dtype=kind) for t in (x, y))
    return a, b


def _is_below(rest: torch.Tensor, divisor: torch.Tensor) -> torch.Tensor:
    """Whether a nonzero remainder has another sign than the divisor."""
    return torch.logical_and(rest != 0, (rest < 0) != (divisor < 0))


def _remainder(x: Any, y: Any) -> torch.Tensor:
    """From C's exact fmod. The formula x − y ⌊x / y⌋ is wrong for 0.5 and float32's 0.1, which is above 0.1."""
    a, b = _pair(x, y)
    rest = torch.fmod(a, b)
    return torch.where(_is_below(rest, b), rest + b, rest)


def _floor_divide(x: Any, y: Any) -> torch.Tensor:
    """⌊x / y⌋ from the remainder, as aten's `div_floor_floating` does; the quotient itself for a zero divisor."""
    a, b = _pair(x, y)
    rest = torch.fmod(a, b)
    near = (a - rest) / b
    near = torch.where(_is_below(rest, b), near - 1, near)
    whole = torch.floor(near)
    whole = torch.where(near - whole > 0.5, whole + 1, whole)
    return torch.where(b == 0, a / b, whole)


def _by_mode(x: Any, y: Any, *, rounding_mode: str | None) -> torch.Tensor:
    """Integers by `//`, which is exact; the exporter divides floats."""
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
    """ln(1 + x) = 2 artanh(x / (2 + x)), by its series near zero: some runtimes' logarithms are inaccurate near 1."""
    x = _single(x)
    s = x / (2 + x)
    square = s * s
    series = torch.full_like(x, _ARTANH[-1])
    for c in reversed(_ARTANH[:-1]):
        series = series * square + c
    return torch.where(torch.abs(x) < _NEAR_ONE, s * series, torch.log(1 + x))


_ARTANH = tuple(2 / (2 * k + 1) for k in range(5))
_NEAR_ONE = 0.3
"""Up to here the omitted terms of the series are below 3e-9."""


def _expm1(x: torch.Tensor) -> torch.Tensor:
    """eˣ − 1 = tanh(x / 2) (eˣ + 1), without cancellation; for very negative x, tanh is exactly −1."""
    x = _single(x)
    return torch.tanh(x * 0.5) * (torch.exp(x) + 1)


def _log_add_exp2(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """log₂(2ˣ + 2ʸ), computed relative to the larger one."""
    a, b = _pair(x, y)
    larger, apart = torch.maximum(a, b), torch.abs(a - b)
    found = larger + log1p(torch.exp2(-apart)) * (1 / math.log(2))
    return torch.where(torch.logical_and(a == b, torch.isinf(a)), a, found)


def _sign(x: torch.Tensor) -> torch.Tensor:
    """The sign; zero for NaN."""
    return (x > 0).to(x.dtype) - (x < 0).to(x.dtype)


def _is_float(x: torch.Tensor) -> bool:
    return x.is_floating_point()


def is_negative(x: torch.Tensor) -> torch.Tensor:
    """Whether the sign bit is set; for a negative zero it shows in the reciprocal."""
    return torch.logical_or(x < 0, torch.logical_and(x == 0, torch.reciprocal(x) < 0))


def _heaviside(x: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """NaN counts as not above zero."""
    a, b = _pair(x, value)
    return torch.where(a == 0, b, (a > 0).to(a.dtype))


def _logit(x: torch.Tensor, eps: float | None = None) -> torch.Tensor:
    z = torch.clamp(x, eps, 1 - (eps or 0.0))
    return torch.log(z / (1 - z))


def _x_log_y(x: Any, y: Any) -> torch.Tensor:
    """x ln y; zero for x = 0 unless y is NaN."""
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
