"""Tail areas of the normal distribution with small relative error; 1 − erf x is zero from 4 on."""

from __future__ import annotations

import math

import torch

from edgec.frontend.torch.decompositions.accurate import log1p
from edgec.frontend.torch.decompositions.base import Decomposition
from edgec.frontend.torch.decompositions.special import as_float, chebyshev

_CENTRE = 3.0
_SCALED = (
    1.885668523839e-9, 7.549828343825e-8, -1.807522790415e-7, -2.007228565906e-6, 1.284153286406e-5,
    1.766171952317e-5, -6.335531710553e-4, 4.453426061463e-3, -1.897659670785e-2, 5.436652555744e-2,
    -9.377550342284e-2, 5.353904539616e-3, 2.355125148393,
)  # fmt: skip
"""(1 + 2x) e^x² erfc x, x ≥ 0, as a Chebyshev series in t = (x − 3) / (x + 3), highest coefficient first: the form of
M. Shepherd and J. Laframboise (Mathematics of Computation 36, 1981), with coefficients from 64 nodes. The truncation
error is below 3e-9.
"""

_END = 16.0
"""Beyond this, e^−x² is zero and e^x² infinite."""


def _scaled(x: torch.Tensor) -> torch.Tensor:
    """e^x² erfc x of x ≥ 0."""
    t = 1 - 2 * _CENTRE / (x + _CENTRE)
    return chebyshev(2 * t, _SCALED) / (1 + 2 * x)


def _exponential_of_square(x: torch.Tensor, factor: float) -> torch.Tensor:
    """e^(factor·x²) for x ≥ 0, from a part with an exact square and a rest: rounding x² would cost up to 5e-6."""
    x = torch.clamp(x, max=_END)
    coarse = torch.floor(x * 16) / 16
    return torch.exp(factor * coarse * coarse) * torch.exp(factor * (x - coarse) * (x + coarse))


def _erfc(x: torch.Tensor) -> torch.Tensor:
    x = as_float(x)
    size = torch.abs(x)
    tail = _exponential_of_square(size, -1.0) * _scaled(size)
    return torch.where(x < 0, 2 - tail, tail)


def _erfcx(x: torch.Tensor) -> torch.Tensor:
    """e^x² erfc x; below zero 2 e^x² less that of −x."""
    x = as_float(x)
    size = torch.abs(x)
    found = _scaled(size)
    return torch.where(x < 0, 2 * _exponential_of_square(size, 1.0) - found, found)


def _normal_cdf(x: torch.Tensor) -> torch.Tensor:
    """Φ(x) = erfc(−x / √2) / 2."""
    x = as_float(x)
    size = torch.abs(x)
    tail = 0.5 * _exponential_of_square(size, -0.5) * _scaled(size * math.sqrt(0.5))
    return torch.where(x > 0, 1 - tail, tail)


def _log_normal_cdf(x: torch.Tensor) -> torch.Tensor:
    """log Φ(x): below zero log(e^z² erfc z / 2) − z² with z = −x / √2, above by log1p."""
    x = as_float(x)
    size = torch.abs(x)
    scaled = 0.5 * _scaled(size * math.sqrt(0.5))
    below = torch.log(scaled) - 0.5 * size * size
    return torch.where(x < 0, below, log1p(-_exponential_of_square(size, -0.5) * scaled))


TAILS: dict[str, Decomposition] = {
    "aten.erfc.default": Decomposition(_erfc),
    "aten.special_erfc.default": Decomposition(_erfc),
    "aten.special_erfcx.default": Decomposition(_erfcx),
    "aten.special_ndtr.default": Decomposition(_normal_cdf),
    "aten.special_log_ndtr.default": Decomposition(_log_normal_cdf),
}
