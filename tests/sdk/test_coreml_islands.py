"""What float16 loses in silence elsewhere: each is found, kept or rewritten, listed with its evidence, and right."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import edgec
from edgec.driver import Built


class Function(torch.nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def masked_softmax(x: torch.Tensor) -> torch.Tensor:
    mask = torch.ones(16, 16, dtype=torch.bool).tril()
    return torch.softmax(x.masked_fill(~mask, float("-inf")), -1)


def masked_lowest(x: torch.Tensor) -> torch.Tensor:
    mask = torch.ones(16, 16, dtype=torch.bool).tril()
    return torch.softmax(x + torch.where(mask, 0.0, torch.finfo(torch.float32).min), -1)


def rms(x: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


ROWS = torch.linspace(-14, 14, 64).reshape(4, 16)

LOST = {
    "softplus": (F.softplus, ROWS, "softplus is 0 from x = 10.4"),
    "exp-sum": (lambda x: torch.exp(x) / torch.exp(x).sum(-1, keepdim=True), ROWS, "exponentials overflow"),
    "log-sum-exp": (lambda x: torch.log(torch.exp(x).sum(-1)), ROWS, "exponentials overflow"),
    "variance": (lambda x: x.var(-1), torch.randn(4, 64) * 300, "squares overflow|reaches"),
    "deviation": (lambda x: x.std(-1) / 100, torch.randn(4, 64) * 300, "squares overflow|reaches"),
    "long-sum": (lambda x: x.sum(-1) / 2**15, torch.rand(2, 2**16), "long sums"),
    "running-sum": (lambda x: x.cumsum(-1) / 2**12, torch.rand(2, 2**12), "long sums"),
    "product": (lambda x: x.prod(-1), torch.rand(4, 64) + 0.8, "products overflow"),
    "squares": (lambda x: (x * x).sum(-1).sqrt(), torch.randn(4, 64) * 300, "reaches|long sums"),
    "rms-epsilon": (rms, torch.randn(4, 32) * 1e-3, "norm or variance|below float16's normal numbers"),
    "small-divisor": (F.normalize, torch.randn(4, 32) * 1e-6, "below float16's normal numbers"),
}
"""A function, inputs for which plain float16 gives something else, and a part of the evidence."""


def made(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, folder: Path) -> Built:
    return edgec.build(Function(function).eval(), (x,), target="iphone", out=folder)


@pytest.mark.parametrize("name", LOST)
def test_what_float16_loses_stays_in_float32_with_its_evidence(name: str, tmp_path: Path) -> None:
    function, x, evidence = LOST[name]
    torch.manual_seed(0)
    built = made(function, x, tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures
    found = " ".join(kept.evidence for kept in built.manifest.float32)
    assert any(part in found for part in evidence.split("|")), found


STABLE = {
    "logsumexp": (lambda x: torch.logsumexp(x, -1), ROWS * 3),
    "log-softmax": (lambda x: torch.log_softmax(x, -1), ROWS * 3),
    "softmax": (lambda x: torch.softmax(x, -1), ROWS * 30),
    "mish": (F.mish, ROWS * 2),
    "hard-swish": (F.hardswish, ROWS * 2),
    "gelu-tanh": (lambda x: F.gelu(x, approximate="tanh"), ROWS * 4),
    "silu": (F.silu, ROWS * 4),
    "mask-infinite": (masked_softmax, torch.randn(2, 16, 16)),
    "mask-lowest": (masked_lowest, torch.randn(2, 16, 16)),
}
"""What is right in whichever precision it is computed."""


@pytest.mark.parametrize("name", STABLE)
def test_stable_forms_keep_the_numbers(name: str, tmp_path: Path) -> None:
    function, x = STABLE[name]
    torch.manual_seed(0)
    built = made(function, x, tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures
    assert np.isfinite(built.manifest.accuracy.max_abs)
