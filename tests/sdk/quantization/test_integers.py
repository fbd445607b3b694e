"""Programs in int8: every kernel is at most a step from float arithmetic, and whole models are what they should be."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import edgec
from edgec.compiler.build import Built
from edgec.diag import EdgecError
from edgec.runners.litert import LiteRTRunner
from tests import models


def images(count: int, *shape: int) -> np.ndarray:
    """Smooth random fields, as photographs are."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.standard_normal((count, *shape[:-2], 5, 5), np.float32))
    fine = F.interpolate(coarse.reshape(count, -1, 5, 5), shape[-2:], mode="bicubic")
    return fine.reshape(count, *shape).numpy()


def built(module: nn.Module, samples: np.ndarray, out: Path, **more: object) -> tuple[Built, dict[str, object]]:
    """The module for android-int8, calibrated on samples of its one input, and its manifest."""
    out.mkdir(exist_ok=True)
    np.savez(out / "data.npz", x=samples)
    example = (torch.from_numpy(samples[0]),)
    where = {"target": "android-int8", "out": out, "name": "m", "calibrate": out / "data.npz"}
    made = edgec.build(module.eval(), example, **where, **more)
    return made, json.loads((made.folder / "manifest.json").read_text())


class Everything(nn.Module):
    """A value goes through every kernel of eight bits that has no weights."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        a, b = x[:, :4], x[:, 4:]
        joined = torch.cat([a * 0.5, b, a - b], 1)
        return (
            a + b * 2, a - b, a * b, F.relu(x), F.relu6(x * 4), torch.sigmoid(x), torch.tanh(x), F.hardswish(x * 3),
            F.leaky_relu(x, 0.1), F.elu(x), F.gelu(x), F.silu(x), F.hardsigmoid(x * 3), x.softmax(1),
            F.log_softmax(x, 1),
            F.max_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 2), F.pad(x, (1, 2, 3, 0)), F.pad(x, (1, 2, 3, 1), value=0.7),
            F.pad(x, (1, 1, 1, 1), mode="reflect"), F.interpolate(x, scale_factor=2, mode="bilinear"),
            F.interpolate(x, scale_factor=2), x.mean((2, 3)), x.sum(1), x.amax(1), joined, F.pixel_shuffle(x, 2),
            torch.maximum(a, b), torch.minimum(a, b), x.transpose(2, 3).reshape(1, -1)[:, ::2], x.abs(),
            torch.where(a > b, a, b), a.flatten(2) @ b.flatten(2).transpose(1, 2), x.flatten(2).softmax(-1) * 3,
            *x.split([3, 5], 1), x.repeat(1, 2, 1, 1), x.clamp(-0.5, 0.8), torch.exp(-x.abs()), x[:, [1, 0, 2]],
        )  # fmt: skip


def test_every_kernel_is_within_a_step(tmp_path: Path) -> None:
    made, manifest = built(Everything(), images(20, 1, 8, 8, 8), tmp_path)
    check = manifest["integer_reference"]
    assert check["largest"] <= 1
    assert check["values"] > 100
    assert check["equal"] > 0.98
    assert not [d for d in made.told if d.code == "E0622"]
    assert {f["op"] for f in manifest["quantization"]["float_ops"]} <= {"EQUAL", "GREATER"}


class Layers(nn.Module):
    """Every layer with weights, their channels of very different sizes, one dead with a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=16, stride=2), nn.ReLU6(),
            nn.ConvTranspose2d(16, 12, 2, stride=2), nn.Conv2d(12, 24, 3, dilation=2), nn.PReLU(24), nn.Flatten(2),
            nn.Linear(4, 10),
        )  # fmt: skip
        with torch.no_grad():
            for parameter in self.parameters():
                if parameter.dim() > 1:
                    spread = 10.0 ** torch.linspace(-1, 1, parameter.shape[0])
                    parameter.mul_(spread.reshape(-1, *[1] * (parameter.dim() - 1)))
            self.layers[0].weight[3] = 0.0
            self.layers[0].bias[3] = 0.7

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def test_layers_with_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    made, manifest = built(Layers(), images(32, 1, 8, 8, 8), tmp_path)
    assert manifest["quantization"]["float_ops"] == []
    assert manifest["integer_reference"]["largest"] <= 1
    assert made.manifest.accuracy.psnr_db > 30
    assert not made.failures
    assert not made.told


@pytest.mark.parametrize(("name", "least"), [("mobilenet", 20), ("resnet", 28), ("unet", 25)])
def test_models(name: str, least: float, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, inputs = getattr(models, name)()
    made, manifest = built(module, images(32, *inputs[0].shape), tmp_path)
    assert made.manifest.accuracy.psnr_db > least
    assert manifest["integer_reference"]["largest"] <= 1
    assert manifest["quantization"]["float_ops"] == []
    assert not made.failures


class Normalized(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(16, 32), nn.LayerNorm(32), nn.Linear(32, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.norm(self.first(x)))


def test_a_normalization_stays_in_floats_and_is_told(tmp_path: Path) -> None:
    torch.manual_seed(0)
    made, manifest = built(Normalized(), images(32, 1, 16, 16), tmp_path)
    floats = manifest["quantization"]["float_ops"]
    assert {"SQRT", "DIV", "MEAN"} <= {f["op"] for f in floats}
    assert all(f["reason"] for f in floats)
    assert {f["module"] for f in floats} == {"norm"}
    assert made.manifest.graph.ops["FULLY_CONNECTED"] == 2
    assert made.manifest.accuracy.psnr_db > 30


class Detector(nn.Module):
    """Boxes up to 640 and scores up to 1 in one result: on one scale all scores would be 0."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes, self.scores = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.sigmoid(self.boxes(x)) * 640, torch.sigmoid(self.scores(x))], 1).flatten(2)


def test_boxes_and_scores_do_not_share_a_scale(tmp_path: Path) -> None:
    torch.manual_seed(0)
    samples = images(24, 1, 8, 8, 8)
    module = Detector().eval()
    made, manifest = built(module, samples, tmp_path)
    assert any("would share one scale" in f["reason"] for f in manifest["quantization"]["float_ops"])
    with LiteRTRunner(made.folder / made.manifest.artifact.path, as_source=True) as runner, torch.no_grad():
        got = runner.run({made.manifest.inputs[0].name: samples[0]})[made.manifest.outputs[0].name]
        want = module(torch.from_numpy(samples[0])).numpy()
    assert np.abs(got[:, 4:] - want[:, 4:]).max() < 0.05


class Masked(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = torch.triu(torch.full((8, 8), -1e9), 1)
        return (x @ x.transpose(1, 2) + mask).softmax(-1) @ x


def test_a_mask_of_large_numbers_is_not_quantized(tmp_path: Path) -> None:
    made, manifest = built(Masked(), images(24, 1, 8, 8), tmp_path)
    assert any("leaves no resolution" in f["reason"] for f in manifest["quantization"]["float_ops"])
    assert made.manifest.accuracy.psnr_db > 30


def test_an_outlier_does_not_take_all_steps_of_the_others(tmp_path: Path) -> None:
    samples = images(32, 1, 4, 16, 16)
    samples[7, 0, 0, 3, 3] = 1000.0
    found = {}
    for method in ("percentile", "min-max"):
        made, _ = built(nn.Conv2d(4, 8, 1), samples, tmp_path / method, settings=(f"numerics.calibration={method}",))
        found[method] = made.manifest.accuracy.psnr_db
    assert found["percentile"] > found["min-max"] + 10


DOUBTFUL = {
    "few": (lambda: images(3, 1, 4, 16, 16), "there are 3 samples"),
    "noise": (lambda: np.random.default_rng(0).standard_normal((20, 1, 4, 16, 16), np.float32), "is noise"),
    "constant": (lambda: np.full((20, 1, 4, 16, 16), 0.5, np.float32), "is 0.5 everywhere"),
}


@pytest.mark.parametrize("kind", DOUBTFUL)
def test_doubtful_data_are_told(kind: str, tmp_path: Path) -> None:
    make, told = DOUBTFUL[kind]
    made, _ = built(nn.Conv2d(4, 4, 3), make(), tmp_path)
    assert any(told in " ".join(d.notes) for d in made.told if d.code == "E0621")


def test_good_data_are_not_doubted(tmp_path: Path) -> None:
    made, manifest = built(nn.Conv2d(4, 4, 3), images(20, 1, 4, 16, 16), tmp_path)
    assert not made.told
    assert manifest["quantization"]["calibration"]["samples"] == 20
    assert len(manifest["quantization"]["calibration"]["sha256"]) == 64


def test_without_data_the_build_says_so(tmp_path: Path) -> None:
    made = edgec.build(
        nn.Conv2d(4, 4, 3).eval(), (torch.randn(1, 4, 8, 8),), target="android-int8", out=tmp_path, name="m"
    )
    assert [d.code for d in made.told] == ["E0620"]


def test_data_of_the_users_own(tmp_path: Path) -> None:
    """Two inputs, from a function that yields dictionaries; the file is named in the manifest, not its folder."""

    class Two(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x * 3 + y

    code = "import numpy as np\ndef rows():\n    for i in range(20):\n"
    code += "        yield {'x': np.full((1, 4), i, np.float32), 'y': np.arange(4, dtype=np.float32)[None] - i}\n"
    (tmp_path / "own_rows.py").write_text(code)
    arguments = ((torch.ones(1, 4), torch.ones(1, 4)), "android-int8")
    made = edgec.build(Two(), *arguments, out=tmp_path, name="m", calibrate=f"{tmp_path}/own_rows.py:rows")
    manifest = json.loads((made.folder / "manifest.json").read_text())
    assert manifest["quantization"]["calibration"]["data"] == "own_rows.py:rows"
    assert not made.failures


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"x": np.zeros((4, 1, 4, 9, 9), np.float32)}, "the input is float32[1, 4, 8, 8]"),
        ({"x": np.zeros((0, 1, 4, 8, 8), np.float32)}, "no samples"),
    ],
)
def test_wrong_data_are_refused(content: dict[str, np.ndarray], told: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **content)
    with pytest.raises(EdgecError) as raised:
        edgec.build(
            nn.Conv2d(4, 4, 3).eval(), (torch.randn(1, 4, 8, 8),), target="android-int8", out=tmp_path, name="m",
            calibrate=tmp_path / "data.npz",
        )  # fmt: skip
    assert told in " ".join(d.message for d in raised.value.diagnostics)


class Warped(nn.Module):
    """Places in an image are computed: a step of 1/256 of its width is not enough for them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        theta = torch.tensor([[[0.9, 0.1, 0.05], [-0.1, 0.9, 0.02]]]) * x.mean().abs().clamp(0.8, 1.2)
        return F.grid_sample(
            self.conv(x), F.affine_grid(theta, [1, 4, 24, 24], align_corners=False), align_corners=False
        )


def test_places_are_computed_in_floats(tmp_path: Path) -> None:
    torch.manual_seed(0)
    made, manifest = built(Warped(), images(24, 1, 3, 24, 24), tmp_path)
    assert any("a coordinate" in f["reason"] for f in manifest["quantization"]["float_ops"])
    assert made.manifest.accuracy.psnr_db > 28
