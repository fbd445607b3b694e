"""Special functions of one number, with the approximations of the Cephes library (S. Moshier, 1984-2000), as torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition

Coefficients = tuple[float, ...]

_I0_NEAR: Coefficients = (
    -1.30002500998624804212e-8, 6.04699502254191894932e-8, -2.67079385394061173391e-7, 1.11738753912010371815e-6,
    -4.41673835845875056359e-6, 1.64484480707288970893e-5, -5.75419501008210370398e-5, 1.88502885095841655729e-4,
    -5.76375574538582365885e-4, 1.63947561694133579842e-3, -4.32430999505057594430e-3, 1.05464603945949983183e-2,
    -2.37374148058994688156e-2, 4.93052842396707084878e-2, -9.49010970480476444210e-2, 1.71620901522208775349e-1,
    -3.04682672343198398683e-1, 6.76795274409476084995e-1,
)  # fmt: skip
_I0_FAR: Coefficients = (
    3.39623202570838634515e-9, 2.26666899049817806459e-8, 2.04891858946906374183e-7, 2.89137052083475648297e-6,
    6.88975834691682398426e-5, 3.36911647825569408990e-3, 8.04490411014108831608e-1,
)  # fmt: skip
_I1_NEAR: Coefficients = (
    9.38153738649577178388e-9, -4.44505912879632808065e-8, 2.00329475355213526229e-7, -8.56872026469545474066e-7,
    3.47025130813767847674e-6, -1.32731636560394358279e-5, 4.78156510755005422638e-5, -1.61760815825896745588e-4,
    5.12285956168575772895e-4, -1.51357245063125314899e-3, 4.15642294431288815669e-3, -1.05640848946261981558e-2,
    2.47264490306265168283e-2, -5.29459812080949914269e-2, 1.02643658689847095384e-1, -1.76416518357834055153e-1,
    2.52587186443633654823e-1,
)  # fmt: skip
_I1_FAR: Coefficients = (
    -3.83538038596423702205e-9, -2.63146884688951950684e-8, -2.51223623787020892529e-7, -3.88256480887769039346e-6,
    -1.10588938762623716291e-4, -9.76109749136146840777e-3, 7.78576235018280120474e-1,
)  # fmt: skip
"""Of e^−x I(x) over Chebyshev polynomials up to 8, and of √x times that beyond, in single precision."""


def chebyshev(x: torch.Tensor, coefficients: Coefficients) -> torch.Tensor:
    """Clenshaw's recurrence, from the highest coefficient, with half of the constant one."""
    before, last = torch.zeros_like(x), torch.full_like(x, coefficients[0])
    older = before
    for c in coefficients[1:]:
        older, before, last = before, last, x * last - before + c
    return 0.5 * (last - older)


def as_float(x: torch.Tensor) -> torch.Tensor:
    """Integers as torch's default float type."""
    return x if x.is_floating_point() else x.to(torch.get_default_dtype())


def _bessel(
    near: Coefficients, far: Coefficients, *, odd: bool, scaled: bool
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The modified Bessel function of order zero, or one if `odd`; `scaled` by e^−|x|."""

    def compute(x: torch.Tensor) -> torch.Tensor:
        x = as_float(x)
        size = torch.abs(x)
        inside, outside = torch.clamp(size, max=8.0), torch.clamp(size, min=8.0)
        low = chebyshev(inside / 2 - 2, near)
        low = low * inside if odd else low
        high = chebyshev(32 / outside - 2, far) / torch.sqrt(outside)
        found = torch.where(size <= 8, low, high)
        found = found if scaled else found * torch.exp(size)
        return torch.where(x < 0, -found, found) if odd else found

    return compute


_NORMAL_CENTRE: tuple[Coefficients, Coefficients] = (
    (-59.9633501014107895267, 98.0010754185999661536, -56.6762857469070293439, 13.9312609387279679503,
     -1.23916583867381258016),
    (1.0, 1.95448858338141759834, 4.67627912898881538453, 86.3602421390890590575, -225.462687854119370527,
     200.260212380060660359, -82.0372256168333339912, 15.9056225126211695515, -1.18331621121330003142),
)  # fmt: skip
_NORMAL_TAIL: tuple[Coefficients, Coefficients] = (
    (4.05544892305962419923, 31.5251094599893866154, 57.1628192246421288162, 44.0805073893200834700,
     14.6849561928858024014, 2.18663306850790267539, -0.140256079171354495875, -3.50424626827848203418e-2,
     -8.57456785154685413611e-4),
    (1.0, 15.7799883256466749731, 45.3907635128879210584, 41.3172038254672030440, 15.0425385692907503408,
     2.50464946208309415979, -0.142182922854787788574, -3.80806407691578277194e-2, -9.33259480895457427372e-4),
)  # fmt: skip
_NORMAL_END: tuple[Coefficients, Coefficients] = (
    (3.23774891776946035970, 6.91522889068984211695, 3.93881025292474443415, 1.33303460815807542389,
     0.201485389549179081538, 1.23716634817820021358e-2, 3.01581553508235416007e-4, 2.65806974686737550832e-6,
     6.23974539184983293730e-9),
    (1.0, 6.02427039364742014255, 3.67983563856160859403, 1.37702099489081330271, 0.216236993594496635890,
     1.34204006088543189037e-2, 3.28014464682127739104e-4, 2.89247864745380683936e-6, 6.79019408009981274425e-9),
)  # fmt: skip
"""The quantile between e^−2 and 1 − e^−2, and by 1 / √(−2 log y) down to e^−32 and beyond."""


def _ratio(x: torch.Tensor, ratio: tuple[Coefficients, Coefficients]) -> torch.Tensor:
    parts = []
    for coefficients in ratio:
        total = torch.full_like(x, coefficients[0])
        for c in coefficients[1:]:
            total = total * x + c
        parts.append(total)
    return parts[0] / parts[1]


def _normal_quantile(x: torch.Tensor) -> torch.Tensor:
    """The quantile of the normal distribution; NaN outside of 0 … 1."""
    y = as_float(x)
    upper = y > 1 - math.exp(-2)
    tail = torch.where(upper, 1 - y, y)
    off = y - 0.5
    square = off * off
    centre = (off + off * square * _ratio(square, _NORMAL_CENTRE)) * math.sqrt(2 * math.pi)
    inside = torch.clamp(tail, min=torch.finfo(y.dtype).tiny, max=math.exp(-2))
    root = torch.sqrt(-2 * torch.log(inside))
    inverse = 1 / root
    correction = inverse * torch.where(root < 8, _ratio(inverse, _NORMAL_TAIL), _ratio(inverse, _NORMAL_END))
    outer = root - torch.log(root) / root - correction
    found = torch.where(tail > math.exp(-2), centre, torch.where(upper, outer, -outer))
    infinite = torch.full_like(y, float("inf"))
    found = torch.where(y == 0, -infinite, torch.where(y == 1, infinite, found))
    return torch.where((y < 0) | (y > 1) | torch.isnan(y), torch.full_like(y, float("nan")), found)


def _spherical_bessel(x: torch.Tensor) -> torch.Tensor:
    """sin x / x, by its series for small x."""
    x = as_float(x)
    square = x * x
    series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72)))
    small = torch.abs(x) < 0.5
    wave = torch.sin(x) / torch.where(small, torch.ones_like(x), x)
    return torch.where(torch.isinf(x), torch.zeros_like(x), torch.where(small, series, wave))


def _log_gamma_of_dimension(x: torch.Tensor, p: int) -> torch.Tensor:
    """log Γ_p(x) = p (p − 1) / 4 · log π + Σ log Γ(x − i / 2), i from 0 to p − 1."""
    shifts = torch.arange(p, device=x.device) / 2
    terms = torch.lgamma(as_float(x).unsqueeze(-1) - shifts)
    return terms.sum(-1) + p * (p - 1) / 4 * math.log(math.pi)


_SMALLEST = 2.0**-126
_RAISE = 24


def _mantissa_and_exponent(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """x = m · 2^e with |m| in [1/2, 1); zero, infinities and NaN are their own mantissa."""
    size = torch.abs(x)
    plain = (size > 0) & ~torch.isinf(x) & ~torch.isnan(x)
    tiny = size < _SMALLEST
    whole = torch.where(plain, torch.where(tiny, size * 2.0**_RAISE, size), torch.ones_like(x))
    exponent = torch.floor(torch.log2(whole)) + 1
    half = torch.trunc(exponent / 2)  # 2^128 overflows, its square root does not
    mantissa = whole / torch.pow(2.0, half) / torch.pow(2.0, exponent - half)
    for low, factor, change in ((True, 2.0, -1), (False, 0.5, 1)):  # if the logarithm was rounded across a power
        wrong = (mantissa < 0.5) if low else (mantissa >= 1)
        mantissa = torch.where(wrong, mantissa * factor, mantissa)
        exponent = torch.where(wrong, exponent + change, exponent)
    exponent = torch.where(tiny, exponent - _RAISE, exponent)
    signed = torch.where(x < 0, -mantissa, mantissa)
    return torch.where(plain, signed, x), torch.where(plain, exponent, torch.zeros_like(exponent)).to(torch.int32)


def _uniform(x: torch.Tensor, low: float = 0, high: float = 1, *, generator: Any = None) -> torch.Tensor:
    """In terms of `rand_like`, which is refused with the reason."""
    return torch.rand_like(x) * (high - low) + low


_I0 = Decomposition(_bessel(_I0_NEAR, _I0_FAR, odd=False, scaled=False))
_I1 = Decomposition(_bessel(_I1_NEAR, _I1_FAR, odd=True, scaled=False))

SPECIAL: dict[str, Decomposition] = {
    "aten.i0.default": _I0,
    "aten.special_i0.default": _I0,
    "aten.special_modified_bessel_i0.default": _I0,
    "aten.special_i0e.default": Decomposition(_bessel(_I0_NEAR, _I0_FAR, odd=False, scaled=True)),
    "aten.special_i1.default": _I1,
    "aten.special_modified_bessel_i1.default": _I1,
    "aten.special_i1e.default": Decomposition(_bessel(_I1_NEAR, _I1_FAR, odd=True, scaled=True)),
    "aten.special_ndtri.default": Decomposition(_normal_quantile),
    "aten.special_spherical_bessel_j0.default": Decomposition(_spherical_bessel),
    "aten.mvlgamma.default": Decomposition(_log_gamma_of_dimension),
    "aten.frexp.Tensor": Decomposition(_mantissa_and_exponent, lambda x: x.dtype == torch.float32),
    "aten.uniform.default": Decomposition(_uniform),
}
