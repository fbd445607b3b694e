"""Special functions agree with torch's own, also at their limits."""

import math

import pytest
import torch

from edgec.frontend.torch.decompositions.table import DECOMPOSITIONS
from tests.unit.frontend.torch.test_decompose import check, rand

ENDS = torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0])
WIDE = torch.cat([torch.linspace(-30, 30, 241), torch.tensor([7.999, 8.0, 8.001, 80.0]), ENDS])
SHARES = torch.cat(
    [torch.linspace(0.001, 0.999, 99), torch.tensor([1e-30, 1e-20, 1e-14, 1e-7, 0.1353, 0.8647, 1.5, -0.1])]
)
POWERS = 2.0 ** torch.arange(-149, 128, dtype=torch.float64)

CASES = {
    "special_i0": (torch.special.i0, WIDE),
    "special_i0e": (torch.special.i0e, WIDE),
    "special_i1": (torch.special.i1, WIDE),
    "special_i1e": (torch.special.i1e, WIDE),
    "special_modified_bessel_i0": (torch.special.modified_bessel_i0, WIDE[:245]),
    "special_modified_bessel_i1": (torch.special.modified_bessel_i1, WIDE[:245]),
    "special_ndtri": (torch.special.ndtri, torch.cat([SHARES, ENDS])),
    "special_spherical_bessel_j0": (torch.special.spherical_bessel_j0, WIDE),
    "mvlgamma": (lambda x: torch.mvlgamma(x.abs() + 2, 4), rand(3, 5)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_special_function(case):
    function, x = CASES[case]
    check(function, x, gone=f"aten.{case}.default", tolerance=3e-6)


def test_integers_become_floats():
    check(torch.special.i0, torch.arange(-4, 12), tolerance=3e-6)


TAILS = {
    "erfc": torch.erfc,
    "special_erfcx": torch.special.erfcx,
    "special_ndtr": lambda x: 0.5 * torch.erfc(-x / math.sqrt(2)),
    "special_log_ndtr": torch.special.log_ndtr,
}


@pytest.mark.parametrize("name", TAILS)
def test_tails_are_accurate_beside_their_own_size(name):
    """Compared with float64; PyTorch's own `ndtr` is 1 + erf, which is zero where 1e-9 is right."""
    x = torch.cat([torch.linspace(-40, 40, 4001), torch.tensor([1e-30, -1e5, 1e5, -1e30, 1e30]), ENDS])
    found, wanted = DECOMPOSITIONS[f"aten.{name}.default"].compute(x), TAILS[name](x.double())
    torch.testing.assert_close(found, wanted.float(), rtol=6e-7, atol=1e-44, equal_nan=True)
    check(getattr(torch, name, None) or getattr(torch.special, name[8:]), x[::40], gone=f"aten.{name}.default")


def test_mantissas_and_exponents():
    around = torch.cat(
        [POWERS.float(), -POWERS.float(), (POWERS * (1 + 2**-23)).float(), (POWERS * (2 - 2**-23)).float()]
    )
    x = torch.cat([around[around.isfinite()], ENDS, torch.zeros(0)])
    mantissa, exponent = DECOMPOSITIONS["aten.frexp.Tensor"].compute(x)
    expected = torch.frexp(x)
    finite = x.isfinite()
    torch.testing.assert_close(mantissa, expected.mantissa, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(exponent[finite], expected.exponent[finite])
    assert exponent.dtype == expected.exponent.dtype
