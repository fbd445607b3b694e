"""Operators that MIL has stay one operation, with the model's results."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import edgec
from edgec.diag import EdgecError
from edgec.runners.mil import MilRunner

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
    assert any("computes coordinates" in kept.evidence for kept in built.manifest.float32)


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
"""Layers, and the number of MIL operations for two of them."""


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


class Indexes(torch.nn.Module):
    """Indices that count from the end, computed and constant, in every gather and scatter."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("fixed", torch.tensor([-1, 0, -3]))

    def forward(self, x: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
        pairs = x[i, self.fixed]
        along = torch.gather(x, 0, i[None, :].expand(2, 3).contiguous())
        written = x.index_put((i, self.fixed), pairs * 2)
        return written.scatter(0, i[None, :].contiguous() % 4, along[:1]) + x[-2]


@pytest.mark.parametrize("target", ["iphone-ios16", "iphone"])
def test_indices_count_from_the_start(target: str, tmp_path: Path) -> None:
    """From iOS 17 on, MIL supports no others, and the model's out-of-range indices are reported."""
    torch.manual_seed(0)
    inputs = (torch.randn(4, 3), torch.tensor([2, 0, 3]))
    built = edgec.build(Indexes().eval(), inputs, target=target, out=tmp_path, settings=SINGLE)
    assert built.manifest.accuracy.status == "passed", built.failures
    package = built.folder / built.manifest.artifact.path
    x = inputs[0].numpy()
    with MilRunner(package) as runner:
        names = [feature.name for feature in runner.inputs]
        expected = Indexes()(inputs[0], torch.tensor([2, 0, 3])).numpy()
        (got,) = runner.run(dict(zip(names, (x, np.array([2, 0, 3], np.int32)), strict=True))).values()
        np.testing.assert_allclose(got, expected, rtol=1e-6)
        with pytest.raises(EdgecError, match="out of range"):
            runner.run(dict(zip(names, (x, np.array([2, 0, 9], np.int32)), strict=True)))
