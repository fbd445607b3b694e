"""Functions of one or two numbers that the exporter does not support."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from edgec.frontend.torch.decompositions.accurate import is_negative
from edgec.frontend.torch.decompositions.base import Decomposition


def _scalar(value: Any, like: torch.Tensor) -> torch.Tensor:
    return torch.full((), value, dtype=torch.result_type(like, value), device=like.device)


def _reversed_difference(x: torch.Tensor, other: Any, alpha: Any = 1) -> torch.Tensor:
    """other − alpha·x; torch's type promotion fails for an integer tensor and a float number."""
    return torch.neg(x.to(torch.result_type(x, other)) * alpha - other)


def _promotes(x: torch.Tensor, other: Any, alpha: Any = 1) -> bool:
    return isinstance(other, float) and not x.is_floating_point() and not x.is_complex()


def angle(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """atan(y / x), plus or minus π for negative x. Zeros count by their sign; for two infinities only the signs count.
    Both have the same float type.
    """
    endless = torch.logical_and(torch.isinf(y), torch.isinf(x))
    y, x = torch.where(endless, torch.sign(y), y), torch.where(endless, torch.sign(x), x)
    none = torch.logical_and(y == 0, x == 0)
    slope = torch.atan(y / torch.where(none, torch.ones_like(x), x))
    turn = torch.where(is_negative(y), torch.full_like(slope, -math.pi), torch.full_like(slope, math.pi))
    return torch.where(is_negative(x), slope + turn, slope)


def _angle_in_floats(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    wide = torch.result_type(y, x)
    wide = wide if wide.is_floating_point else torch.get_default_dtype()
    return angle(y.to(wide), x.to(wide))


def _copy_sign(x: torch.Tensor, other: Any) -> torch.Tensor:
    """|x| with the sign of `other`; a negative zero is detected by its reciprocal."""
    sign = other if isinstance(other, torch.Tensor) else _scalar(float(other), x)
    wide = torch.result_type(x, sign)
    wide = wide if wide.is_floating_point else torch.get_default_dtype()
    x, sign = x.to(wide), sign.to(wide)
    return torch.where(is_negative(sign), -torch.abs(x), torch.abs(x))


def _fmax(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The larger of both; if one is NaN, the other."""
    if not torch.result_type(x, y).is_floating_point:
        return torch.maximum(x, y)
    return torch.where(torch.isnan(y), x, torch.where(torch.isnan(x), y, torch.maximum(x, y)))


def _fmin(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    if not torch.result_type(x, y).is_floating_point:
        return torch.minimum(x, y)
    return torch.where(torch.isnan(y), x, torch.where(torch.isnan(x), y, torch.minimum(x, y)))


def _clamp_in_floats(x: torch.Tensor, low: Any = None, high: Any = None) -> torch.Tensor:
    """Clamp between an integer and a float; the exporter creates tensors of different types."""
    wide = x if x.is_floating_point() else x.to(torch.get_default_dtype())
    return torch.clamp(wide, float(low), float(high))


def _mixes(x: torch.Tensor, low: Any = None, high: Any = None) -> bool:
    return {type(low), type(high)} == {int, float}


def _hypot(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """√(x² + y²) without overflow from squaring."""
    x, y = torch.abs(x), torch.abs(y)
    larger, smaller = torch.maximum(x, y), torch.minimum(x, y)
    ratio = smaller / torch.where(larger == 0, torch.ones_like(larger), larger)
    found = larger * torch.sqrt(1 + ratio * ratio)
    return torch.where(torch.isinf(x) | torch.isinf(y), torch.full_like(found, math.inf), found)


_ERF_INV_CENTRE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
    0.246640727, 1.50140941,
)  # fmt: skip
_ERF_INV_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
    1.00167406, 2.83297682,
)  # fmt: skip
"""M. Giles, Approximating the erfinv function, GPU Computing Gems 2 (2011), single precision."""


def _polynomial(x: torch.Tensor, coefficients: tuple[float, ...]) -> torch.Tensor:
    """Horner's rule, from the highest power."""
    total = torch.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        total = total * x + c
    return total


def _erf_inv(x: torch.Tensor) -> torch.Tensor:
    x = x if x.is_floating_point() else x.to(torch.get_default_dtype())
    w = -torch.log((1 - x) * (1 + x))
    inside = torch.clamp(w, max=80.0)  # beyond, the result is infinite and handled below
    near, far = _polynomial(inside - 2.5, _ERF_INV_CENTRE), _polynomial(torch.sqrt(inside) - 3, _ERF_INV_TAIL)
    found = x * torch.where(inside < 5, near, far)
    return torch.where(torch.abs(x) == 1, x * float("inf"), found)


_LANCZOS = (
    676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
)  # fmt: skip
"""Lanczos' approximation with g = 7 and nine coefficients (P. Godfrey, 2001); the first is 1."""


def _log_gamma(x: torch.Tensor) -> torch.Tensor:
    """In float64, since the terms cancel; below 1/2 by reflection, π / (sin πx · Γ(1 − x))."""
    kind = x.dtype if x.is_floating_point() else torch.get_default_dtype()
    given = x.to(torch.float64)
    low = given < 0.5
    z = torch.where(low, -given, given - 1)
    total = torch.full_like(z, 0.99999999999980993)
    for i, c in enumerate(_LANCZOS):
        total = total + c / (z + (i + 1))
    t = z + 7.5
    value = 0.5 * math.log(2 * math.pi) + (z + 0.5) * torch.log(t) - t + torch.log(total)
    fraction = given - torch.floor(given)
    reflected = math.log(math.pi) - torch.log(torch.abs(torch.sin(fraction * math.pi))) - value
    found = torch.where(low, reflected, value)
    pole = (given <= 0) & (fraction == 0)
    infinite = pole | torch.isinf(given)
    return torch.where(infinite, torch.full_like(given, float("inf")), found).to(kind)


def _digamma(x: torch.Tensor) -> torch.Tensor:
    """The recurrence ψ(x) = ψ(x + 1) − 1/x six times, then the asymptotic series; below zero by reflection."""
    kind = x.dtype if x.is_floating_point() else torch.get_default_dtype()
    given = x.to(torch.float64)
    low = given < 0
    z = torch.where(low, 1 - given, given)
    total = torch.zeros_like(z)
    for _ in range(10):
        total = total - 1 / z
        z = z + 1
    inverse = 1 / (z * z)
    series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132))))
    value = total + torch.log(z) - 0.5 / z - series
    fraction = given - torch.floor(given)
    angle = math.pi * fraction  # ONNX Runtime has no tangent in float64
    found = torch.where(low, value - math.pi * torch.cos(angle) / torch.sin(angle), value)
    pole = (given < 0) & (fraction == 0)
    return torch.where(pole, torch.full_like(given, float("nan")), found).to(kind)


def _every_extreme(reduce: Any) -> Any:
    """Over all dimensions if none is given, which the exporter does not support."""

    def whole(x: torch.Tensor, dim: Any = (), keepdim: bool = False) -> torch.Tensor:
        found: torch.Tensor = reduce(x, list(range(x.dim())), keepdim) if x.dim() else x.clone()
        return found

    return whole


def _names_none(x: torch.Tensor, dim: Any = (), keepdim: bool = False) -> bool:
    return len(dim) == 0


def _min_max(x: torch.Tensor, *, dim: int | None = None, keepdim: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    if not x.dim():
        return x.clone(), x.clone()
    dims = list(range(x.dim())) if dim is None else [dim]
    return torch.amin(x, dims, keepdim), torch.amax(x, dims, keepdim)


def _add_nothing(x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, *, beta: Any = 1, alpha: Any = 1) -> torch.Tensor:
    """A product with an empty inner dimension is zero; the result is β·x, which the exporter does not scale."""
    return torch.mul(x, beta).expand(a.shape[0], b.shape[1]).clone()


def _is_empty(x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, **_: Any) -> bool:
    return isinstance(a.shape[1], int) and a.shape[1] == 0


def _rectified(
    x: torch.Tensor, lower: Any = 0.125, upper: Any = 1 / 3, training: bool = False, *_: Any
) -> torch.Tensor:
    """The slope for negative values: random between the bounds in training, otherwise their mean."""
    if not training:
        return torch.nn.functional.leaky_relu(x, (lower + upper) / 2)
    return torch.where(x < 0, x * (torch.rand_like(x) * (upper - lower) + lower), x)


def _squeeze_nothing(x: torch.Tensor, dims: Any) -> torch.Tensor:
    """If no given dimension has size one, the tensor is unchanged, which the exporter does not support."""
    same: torch.Tensor = torch.ops.aten.view.default(x, x.shape)
    return same


def _keeps_all(x: torch.Tensor, dims: Any) -> bool:
    return not x.dim() or all(isinstance(x.shape[d], int) and x.shape[d] != 1 for d in dims)


def _product_of_number(
    x: torch.Tensor, dim: int, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """For a 0-d tensor, for which the exporter looks up a dimension."""
    return x.to(dtype or (x.dtype if x.is_floating_point() or x.is_complex() else torch.int64)).clone()


def _is_number(x: torch.Tensor, *rest: Any, **more: Any) -> bool:
    return x.dim() == 0


_ALIASES: dict[str, Callable[..., Any]] = {
    "divide": torch.div,
    "true_divide": torch.div,
    "multiply": torch.mul,
    "subtract": torch.sub,
}
"""Aliases of operators for which the exporter omits type promotion."""

POINTWISE: dict[str, Decomposition] = {
    "aten.addmm.default": Decomposition(_add_nothing, _is_empty),
    **{
        f"aten.{name}.{kind}": Decomposition(function)
        for name, function in _ALIASES.items()
        for kind in ("Tensor", "Scalar")
    },
    "aten.squeeze.dims": Decomposition(_squeeze_nothing, _keeps_all),
    "aten.prod.dim_int": Decomposition(_product_of_number, _is_number),
    "aten.rsub.Scalar": Decomposition(_reversed_difference, _promotes),
    "aten.atan2.default": Decomposition(_angle_in_floats),
    "aten.arctan2.default": Decomposition(_angle_in_floats),
    "aten.copysign.Tensor": Decomposition(_copy_sign),
    "aten.copysign.Scalar": Decomposition(_copy_sign),
    "aten.fmax.default": Decomposition(_fmax),
    "aten.fmin.default": Decomposition(_fmin),
    "aten.clamp.default": Decomposition(_clamp_in_floats, _mixes),
    "aten.clip.default": Decomposition(_clamp_in_floats, _mixes),
    "aten.hypot.default": Decomposition(_hypot),
    "aten.erfinv.default": Decomposition(_erf_inv),
    "aten.lgamma.default": Decomposition(_log_gamma),
    "aten.digamma.default": Decomposition(_digamma),
    "aten.amax.default": Decomposition(_every_extreme(torch.amax), _names_none),
    "aten.amin.default": Decomposition(_every_extreme(torch.amin), _names_none),
    "aten._is_all_true.default": Decomposition(torch.all),
    "aten._is_any_true.default": Decomposition(torch.any),
    "aten.rrelu.default": Decomposition(_rectified),
    "aten.aminmax.default": Decomposition(_min_max),
}
