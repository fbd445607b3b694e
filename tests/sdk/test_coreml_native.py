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


RECURRENT = {
    "lstm": (torch.nn.LSTM, {}, 2),
    "lstm-both-ways": (torch.nn.LSTM, {"bidirectional": True}, 2),
    "rnn": (torch.nn.RNN, {"bias": False}, 2),
    "rnn-batch-first": (torch.nn.RNN, {"batch_first": True}, 2),
    "rnn-both-ways": (torch.nn.RNN, {"bidirectional": True, "nonlinearity": "relu"}, 4),
}
"""Layers, and how many of MIL's operations two of them make."""


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers_are_native(name: str, tmp_path: Path) -> None:
    kind, options, count = RECURRENT[name]
    torch.manual_seed(0)
    module = Recurs(kind(6, 5, num_layers=2, **options)).eval()
    built = edgec.build(module, (torch.randn(7, 2, 6),), target="iphone", out=tmp_path, settings=SINGLE)
    assert built.manifest.accuracy.status == "passed", built.failures
    ops = built.manifest.graph.ops
    assert ops[kind.__name__.lower()] == count
    assert "matmul" not in ops
    assert "linear" not in ops


@pytest.mark.parametrize("both", [False, True])
def test_pytorchs_gru_is_native_from_ios_18_on(both: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, x = Recurs(torch.nn.GRU(6, 5, num_layers=2, bidirectional=both)).eval(), torch.randn(7, 2, 6)
    for system in ("iOS17", "iOS18"):
        settings = (*SINGLE, f"options.minimum_deployment_target={system}")
        built = edgec.build(module, (x,), target="iphone", out=tmp_path, settings=settings)
        assert built.manifest.accuracy.status == "passed", built.failures
        assert built.manifest.graph.ops.get("gru", 0) == (0 if system == "iOS17" else 4 if both else 2)
