"""Operators that MIL computes itself stay one operation, with the model's numbers."""

import itertools
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import edgec

SINGLE = ("numerics.compute=float32", "accept.max_rel=1e-5")


class Sampled(torch.nn.Module):
    def __init__(self, mode: str, padding: str, align: bool) -> None:
        super().__init__()
        self.how = {"mode": mode, "padding_mode": padding, "align_corners": align}

    def forward(self, x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        return F.grid_sample(x, grid * 1.5, **self.how)


@pytest.mark.parametrize(
    ("mode", "padding", "align"),
    [*itertools.product(("bilinear", "nearest"), ("zeros", "border", "reflection"), (True, False)),
     ("bicubic", "border", False)],
)  # fmt: skip
def test_images_are_sampled_by_resample(mode: str, padding: str, align: bool, tmp_path: Path) -> None:
    torch.manual_seed(1)
    inputs = (torch.randn(2, 3, 7, 9), torch.rand(2, 5, 6, 2) * 2 - 1)
    built = edgec.build(Sampled(mode, padding, align).eval(), inputs, target="iphone", out=tmp_path, settings=SINGLE)
    assert built.manifest.accuracy.status == "passed", built.failures
    assert ("resample" in built.manifest.graph.ops) == (mode != "bicubic")


def test_coordinates_stay_float32(tmp_path: Path) -> None:
    torch.manual_seed(1)
    inputs = (torch.randn(1, 3, 200, 200), torch.rand(1, 50, 50, 2) * 2 - 1)
    built = edgec.build(Sampled("bilinear", "zeros", False).eval(), inputs, target="iphone", out=tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures
    assert built.manifest.accuracy.psnr_db > 65
    assert any("makes coordinates" in kept.evidence for kept in built.manifest.float32)


class Recurs(torch.nn.Module):
    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


@pytest.mark.parametrize("both", [False, True])
def test_lstm_layers_are_native(both: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = torch.nn.LSTM(6, 5, num_layers=2, bidirectional=both)
    built = edgec.build(Recurs(layer).eval(), (torch.randn(7, 2, 6),), target="iphone", out=tmp_path, settings=SINGLE)
    assert built.manifest.accuracy.status == "passed", built.failures
    ops = built.manifest.graph.ops
    assert ops["lstm"] == 2
    assert "matmul" not in ops
    assert "linear" not in ops
