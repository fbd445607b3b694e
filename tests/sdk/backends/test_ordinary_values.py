"""Functions at ordinary values besides the example's: multiples, small and huge numbers, signed zeros, NaN, ±∞."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.sdk.ordinary import Functions, Inputs, differences

TARGETS = ("android", "rtx", "iphone")
INF, NAN = math.inf, math.nan

OF_ONE: Functions = {
    "remainder": lambda x: x % 0.1,
    "remainder-of-negatives": lambda x: x % -3,
    "floor-division": lambda x: x // 0.1,
    "division-rounded-down": lambda x: torch.div(x, 3, rounding_mode="floor"),
    "log1p": torch.log1p,
    "expm1": lambda x: torch.expm1(x.clamp(max=80.0)),
    "sinh": lambda x: torch.sinh(x.clamp(-80.0, 80.0)),
    "cosh": lambda x: torch.cosh(x.clamp(-80.0, 80.0)),
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": torch.atanh,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "erfcx": lambda x: torch.special.erfcx(x.clamp(min=-9.0)),
    "log-ndtr": torch.special.log_ndtr,
    "softplus": F.softplus,
    "fifth-power": lambda x: x**5,
    "between-a-whole-number-and-a-float": lambda x: x.clamp(-1, 0.5),
    "sign": torch.sign,
    "signbit": torch.signbit,
    "heaviside": lambda x: torch.heaviside(x, torch.tensor(0.5)),
    "logit": lambda x: torch.logit(x, 1e-3),
    "exp": lambda x: torch.exp(x.clamp(-80.0, 80.0)),
    "at-least": lambda x: torch.clamp(x, min=0.5),
    "sign-of-minus-zero": lambda x: 1 / -x,
    "merged": lambda x: x * 1e25 * 1e25 * 1e-30 * 1e-20,
}
VALUES = torch.tensor(
    [0.0, -0.0, 0.1, 0.2, 0.3, 0.5, -0.3, 0.7, 1.0, -1.0, 1.5, 2.5, -2.5, 3.0, 6.0, -7.0, 20.0, -20.0, 1e3, -1e3, NAN,
     INF, -INF, 1e-30, -1e-12, 2e-8, -2e-8, 1e-6, -1e-4, 1e-3, 1e-2, 0.99, 1.0001, 1e5, 1e9, -1e12]
)  # fmt: skip

OF_TWO: Functions = {
    "atan2": torch.atan2,
    "copysign": torch.copysign,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "remainder": torch.remainder,
    "floor-division": torch.floor_divide,
    "logaddexp": torch.logaddexp,
    "hypot": torch.hypot,
    "xlogy": torch.xlogy,
}
SIDES = torch.tensor([0.0, -0.0, 1.0, -1.0, 2.5, -3.0, INF, -INF, NAN, 300.0, -300.0])

MATRICES: Functions = {
    "determinant": torch.linalg.det,
    "diagonal": lambda x: x.diagonal(0, 1, 2),
    "diagonal-above": lambda x: x.diagonal(1, 2, 1),
    "trace": lambda x: x[0].trace(),
}
WITHOUT_PIVOT = [
    torch.ones(1, 3, 3),
    torch.zeros(1, 3, 3),
    torch.where(torch.eye(3).bool(), 1.0, -INF)[None],
    torch.eye(3).flip(0)[None],
]


def _wrong(functions: Functions, example: Inputs, inputs: list[Inputs], target: str, out: Path) -> list[str]:
    torch.manual_seed(0)
    return differences(functions, example, inputs, target, out, tolerance=5e-5)


LITERTS_OWN = ["cosh: [20] is inf, not nan", "exp: [20] is 0.0, not nan"]
"""LiteRT's exponential does not propagate NaN, as docs/how-to/verification.md says."""


@pytest.mark.parametrize("target", TARGETS)
def test_functions_of_one_number(target: str, tmp_path: Path) -> None:
    expected = LITERTS_OWN if target == "android" else []
    assert _wrong(OF_ONE, (torch.randn(len(VALUES)),), [(VALUES,)], target, tmp_path) == expected


@pytest.mark.parametrize("target", TARGETS)
def test_functions_of_two_numbers(target: str, tmp_path: Path) -> None:
    pairs = (SIDES.repeat_interleave(len(SIDES)), SIDES.repeat(len(SIDES)))
    example = (torch.randn(len(pairs[0])), torch.randn(len(pairs[0])))
    assert _wrong(OF_TWO, example, [pairs], target, tmp_path) == []


@pytest.mark.parametrize("target", TARGETS)
def test_matrices(target: str, tmp_path: Path) -> None:
    assert _wrong(MATRICES, (torch.randn(1, 3, 3),), [(x,) for x in WITHOUT_PIVOT], target, tmp_path) == []


@pytest.mark.parametrize("target", TARGETS)
def test_powers_of_two_added(target: str, tmp_path: Path) -> None:
    inputs = [(torch.tensor([211.5, -300.0, 1e30, 0.5]), torch.tensor([-211.5, -301.0, -1e30, 0.25]))]
    assert _wrong({"logaddexp2": torch.logaddexp2}, (torch.randn(4), torch.randn(4)), inputs, target, tmp_path) == []


@pytest.mark.parametrize("target", ["android", "iphone"])
def test_a_dilated_pool_of_infinities(target: str, tmp_path: Path) -> None:
    pools: Functions = {"dilated": lambda x: F.max_pool2d(x, 2, 2, 1, dilation=2)}
    inputs = [(torch.full((1, 1, 7, 9), -INF),)]
    assert _wrong(pools, (torch.randn(1, 1, 7, 9),), inputs, target, tmp_path) == []


@pytest.mark.parametrize("target", TARGETS)
def test_counts_at_the_edges_of_bins(target: str, tmp_path: Path) -> None:
    counts: Functions = {
        "ten": lambda x: torch.histc(x, 10, 0, 1),
        "seven": lambda x: torch.histc(x, 7, -1, 1),
        "of-the-data": lambda x: torch.histc(x, 5),
    }
    inputs = [(torch.arange(24) * 0.1,), (torch.arange(24) / 7.0 - 1,), (torch.zeros(24),)]
    assert _wrong(counts, (torch.rand(24),), inputs, target, tmp_path) == []


@pytest.mark.parametrize("target", TARGETS)
def test_norms_of_a_large_mean(target: str, tmp_path: Path) -> None:
    """As close to float64 as PyTorch, which rounds the mean of 10,000 by half a thousandth."""
    norms: Functions = {"group": lambda x: F.group_norm(x, 2), "instance": lambda x: F.instance_norm(x)}
    torch.manual_seed(0)
    x = torch.randn(2, 6, 5, 4) + 1e4
    whole = {name: (lambda y, f=f: f(y.double()).float()) for name, f in norms.items()}
    found = differences(norms, (torch.randn(2, 6, 5, 4),), [(x,)], target, tmp_path, 0.0, 2e-3)
    assert found == []
    assert all(torch.allclose(norms[name](x), whole[name](x), atol=2e-3) for name in norms)


@pytest.mark.parametrize("target", TARGETS)
def test_whole_numbers_beyond_those_of_float32(target: str, tmp_path: Path) -> None:
    quotients: Functions = {
        "down": lambda i: torch.div(i, 64, rounding_mode="floor"),
        "to-zero": lambda i: torch.div(i, -3, rounding_mode="trunc"),
    }
    inputs = [(torch.tensor([2**31 - 1, 2**30 + 63, -(2**25) - 1, 4031, -5, 0]),)]
    assert _wrong(quotients, (torch.tensor([5, 100, 63, -7, 1, 0]),), inputs, target, tmp_path) == []
