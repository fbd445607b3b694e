"""8- and 16-bit integers on TensorRT, which supports uint8 only in the interface, and int16 nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import edgec
from edgec.diag import EdgecError


class Pixels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 2, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(1, 8, 8, 3) pixels."""
        image = x.permute(0, 3, 1, 2)
        return (self.conv(image.float() / 255).sigmoid() * 255).to(torch.uint8), image.amax((2, 3))


class Wrapping(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(3, 4) and (3, 4) of one type."""
        product = torch.addmm(x @ y.T, x, y.T)
        return (
            product,
            x + y,
            x - y,
            (x * y) // 3,
            torch.relu(x),
            torch.cat([x, y])[1:5] > 3,
            x.to(torch.int16).int() * 300,
        )


def test_bytes_are_moved_in_int32(tmp_path: Path) -> None:
    image = torch.randint(0, 256, (1, 8, 8, 3), dtype=torch.uint8)
    made = edgec.build(Pixels(), (image,), target="rtx", out=tmp_path)
    assert not made.failures
    assert [f.dtype for f in (*made.manifest.inputs, *made.manifest.outputs)] == ["uint8"] * 3


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8])
def test_bytes_wrap(kind: torch.dtype, tmp_path: Path) -> None:
    torch.manual_seed(0)
    limits = torch.iinfo(kind)
    example = tuple(torch.randint(limits.min, limits.max + 1, (3, 4), dtype=kind) for _ in range(2))
    made = edgec.build(Wrapping(), example, target="rtx", out=tmp_path)
    assert not made.failures
    assert made.manifest.accuracy.max_abs == 0


def test_sixteen_bits_at_the_interface_are_refused(tmp_path: Path) -> None:
    example = tuple(torch.ones(3, 4, dtype=torch.int16) for _ in range(2))
    with pytest.raises(EdgecError, match="is int16, which TensorRT does not support"):
        edgec.build(Wrapping(), example, target="rtx", out=tmp_path)
