"""Ordinary code that takes unusual paths through the compiler: it builds, or is refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import edgec


class Repeats(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.repeat_interleave(torch.tensor([0, 2, 1, 3]), 0)


class UnitRows(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(torch.einsum("bi,bi->b", x, x)[:, None] + 1e-8)


class Flagged(nn.Module):
    def forward(self, x: torch.Tensor, flag: torch.Tensor) -> torch.Tensor:
        if flag:
            return x.relu()
        return -x


class Padded(nn.Module):
    """Attention that masks the keys of padding."""

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(16, 48)

    def forward(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        q, k, v = self.q(x).reshape(2, 6, 3, 4, 4).permute(2, 0, 3, 1, 4)
        found = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None, :])
        return found.transpose(1, 2).reshape(2, 6, 16)


X = torch.linspace(-2, 2, 32).reshape(4, 8)
CASES = {
    "a-constant-number-of-repeats": (Repeats(), (X,), "iphone", ()),
    "a-product-of-each-row-with-itself": (UnitRows(), (X,), "android", ()),
    "a-flag-without-dimensions": (Flagged(), (X, torch.tensor(True)), "rtx", ()),
    "padding-on-the-neural-engine": (
        Padded(),
        (torch.linspace(-1, 1, 192).reshape(2, 6, 16), torch.ones(2, 6, dtype=torch.bool)),
        "iphone",
        ("options.neural_engine=on",),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_builds(case: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, example, target, settings = CASES[case]
    built = edgec.build(module, example, target=target, out=tmp_path, settings=settings)
    assert built.failures == ()
