"""8- and 16-bit integers, which PyTorch computes modulo 2^n, in operators that ONNX has only for wider ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import edgec


class Products(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(3, 4) and (3, 4) of one type."""
        product = x @ y.T
        return product, torch.addmm(product, x, y.T), x**2, y**5, x.amax(1), y.min(0).values, torch.maximum(x, y)


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.int16])
@pytest.mark.parametrize("target", ["android", "iphone"])
def test_products_wrap_as_they_do_in_pytorch(target: str, kind: torch.dtype, tmp_path: Path) -> None:
    torch.manual_seed(0)
    limits = torch.iinfo(kind)
    example = tuple(torch.randint(limits.min, limits.max + 1, (3, 4), dtype=kind) for _ in range(2))
    made = edgec.build(Products(), example, target=target, out=tmp_path)
    assert not made.failures
    assert made.manifest.accuracy.max_abs == 0
