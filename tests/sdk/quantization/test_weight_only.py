"""Weights in int8: LiteRT runs them, XNNPACK takes them, the file is a quarter, the results are nearly the same."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from torch import nn

import edgec
from edgec.diag import EdgecError
from tests import models


class Layers(nn.Module):
    """Every kind of layer with weights: convolutions, a transposed one, products, a table."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(64, 16)
        self.first, self.depthwise = nn.Conv2d(4, 32, 3, padding=1), nn.Conv2d(32, 32, 3, groups=32)
        self.up, self.out = nn.ConvTranspose2d(32, 16, 2, stride=2), nn.Linear(16, 40)
        self.product = nn.Parameter(torch.randn(4, 40, 20))

    def forward(self, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        y = self.up(torch.relu(self.depthwise(torch.relu(self.first(x)))))
        y = self.out(y.flatten(2).transpose(1, 2) + self.table(ids))
        return (y.reshape(4, -1, 40) @ self.product).mean(1)


def example() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(1, 4, 6, 6), torch.arange(64)[None]


def test_every_layer_with_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Layers().eval()
    with torch.no_grad():  # channels of very different sizes: one scale for all would lose most of them
        for parameter in module.parameters():
            parameter.mul_(10.0 ** torch.linspace(-2, 1, parameter.shape[0]).reshape(-1, *[1] * (parameter.dim() - 1)))
    built = edgec.build(module, example(), target="android-w8", out=tmp_path, name="m")
    told = json.loads((built.folder / "manifest.json").read_text())["quantization"]
    assert not built.failures
    assert built.manifest.accuracy.psnr_db > 40
    assert (told["quantized_weights"], told["activations"]) == (6, "float")
    assert built.manifest.graph.ops["DEQUANTIZE"] == 6


def test_the_size_is_a_quarter_and_the_delegate_takes_it_all(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 512, 3), nn.ReLU(), nn.Conv2d(512, 64, 1))
    sizes = {}
    for target in ("android", "android-w8"):
        built = edgec.build(module.eval(), (torch.randn(1, 3, 8, 8),), target=target, out=tmp_path, name="m")
        assert not built.failures
        sizes[target] = built.manifest.artifact.bytes
    assert sizes["android-w8"] <= 0.28 * sizes["android"]
    assert built.manifest.placement.units == {"xnnpack": sum(built.manifest.graph.ops.values())}
    interpreter = Interpreter(str(built.folder / built.manifest.artifact.path), num_threads=1)
    interpreter.allocate_tensors()
    assert [op["op_name"] for op in interpreter._get_ops_details()].count("DELEGATE") == 1


@pytest.mark.parametrize("name", ["bert", "unet"])
def test_models(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, inputs = getattr(models, name)()
    built = edgec.build(module, inputs, target="android-w8", out=tmp_path, name="m")
    assert not built.failures
    assert built.manifest.accuracy.psnr_db > 30


def test_weights_in_a_loop(tmp_path: Path) -> None:
    """A block has constants of its own, and its own DEQUANTIZE."""

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.step = nn.Linear(32, 32)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            while x.abs().sum() < 1000:
                x = x + torch.tanh(self.step(x)) + 1
            return x

    torch.manual_seed(0)
    built = edgec.build(Loop().eval(), (torch.randn(1, 32),), target="android-w8", out=tmp_path, name="m")
    assert not built.failures
    assert built.manifest.graph.ops["DEQUANTIZE"] == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("numerics.weights=int5",), "`weights` is `int5`"),
        (("numerics.weights=int4",), "int8 per channel or tensor"),
        (("numerics.weights.granularity=tenser",), "did you mean `tensor`"),
        (("numerics.weights.block=3",), "go together"),
        (("numerics.activations=int8", "numerics.weights=float32"), "need `weights` in integers"),
    ],
)
def test_what_no_kernel_takes_is_told(settings: tuple[str, ...], told: str) -> None:
    with pytest.raises(EdgecError) as raised:
        edgec.build(nn.ReLU(), (torch.ones(1),), target="android-w8", settings=settings)
    assert any(told in f"{d.message} {' '.join(d.help)}" for d in raised.value.diagnostics)


def test_other_backends_refuse(tmp_path: Path) -> None:
    for target in ("iphone", "rtx", "onnx"):
        with pytest.raises(EdgecError):
            edgec.build(nn.ReLU(), (torch.ones(1),), target=target, out=tmp_path, settings=("numerics.weights=int8",))


def test_scales_per_channel_are_along_the_output(tmp_path: Path) -> None:
    """A wrong axis would mix channels: each output is compared with its own magnitude."""
    torch.manual_seed(0)
    module = nn.Conv2d(8, 8, 3).eval()
    with torch.no_grad():
        module.weight.mul_(10.0 ** torch.linspace(-3, 2, 8).reshape(-1, 1, 1, 1))
        module.bias.zero_()
    x = torch.randn(1, 8, 9, 9)
    built = edgec.build(module, (x,), target="android-w8", out=tmp_path, name="m")
    from edgec.artifact.shown import Shown
    from edgec.runners.open import open_runner

    with open_runner(built.folder / built.manifest.artifact.path, as_source=Shown()) as runner:
        got = runner.run({built.manifest.inputs[0].name: x.numpy()})[built.manifest.outputs[0].name]
    want = module(x).detach().numpy()
    apart = np.abs(got - want).max((0, 2, 3)) / np.abs(want).max((0, 2, 3))
    assert apart.max() < 0.02
