"""The interface for the app (images, labels, descriptions), and how weights are stored."""

from pathlib import Path

import coremltools
import numpy as np
import pytest
import torch

import edgec
from edgec.diag import EdgecError
from edgec.ledger.lint import lint
from edgec.runners.mil.runner import MilRunner

LABELS = ("cat", "dog", "owl", "eel")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

TARGET = """
name = "{name}"
summary = "{name}"
inherits = "iphone"
[numerics]
compute = "float32"
[accept]
max_rel = 1e-4
"""

IMAGES = f"""
[options.images.x]
color = "{{color}}"
scale = {[1 / (255 * s) for s in STD]}
bias = {[-m / s for m, s in zip(MEAN, STD, strict=True)]}
[options.classifier]
output = "output"
labels = "labels.txt"
[options.metadata]
author = "A. Writer"
license = "MIT"
version = "1.2"
description = "Tells animals apart"
features.x = "a photograph"
features.classLabel = "the likeliest animal"
"""


class Classifier(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.Linear(8, len(LABELS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(x)).mean((2, 3))).softmax(-1)


@pytest.fixture
def targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "targets"
    folder.mkdir()
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    monkeypatch.chdir(tmp_path)
    return folder


def write(folder: Path, name: str, text: str) -> str:
    (folder / f"{name}.toml").write_text(TARGET.format(name=name) + text)
    return name


@pytest.mark.parametrize(("color", "space"), [("rgb", 20), ("bgr", 30)])
def test_an_image_classifier(color: str, space: int, targets: Path) -> None:
    torch.manual_seed(1)
    module = Classifier().eval()
    name = write(targets, "app", IMAGES.format(color=color))
    built = edgec.build(module, (torch.randn(1, 3, 12, 16),), target=name)
    assert built.manifest.accuracy.status == "passed", built.failures
    again = edgec.build(module, (torch.randn(1, 3, 12, 16),), target=name, out="again")
    assert again.manifest.artifact.sha256 == built.manifest.artifact.sha256
    path = built.folder / built.manifest.artifact.path
    description = coremltools.models.MLModel(str(path), skip_model_load=True).get_spec().description
    image = description.input[0].type.imageType
    assert (image.height, image.width, image.colorSpace) == (12, 16, space)
    assert (description.metadata.author, description.metadata.license) == ("A. Writer", "MIT")
    assert (description.metadata.versionString, description.metadata.shortDescription) == ("1.2", "Tells animals apart")
    assert description.input[0].shortDescription == "a photograph"
    assert description.predictedFeatureName == "classLabel"
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 12, 16)).astype(np.float32)
    with MilRunner(path) as runner:
        found = runner.run({"x": pixels})
        assert runner.classes == LABELS
    given = (torch.from_numpy(pixels) / 255 - torch.tensor(MEAN).view(-1, 1, 1)) / torch.tensor(STD).view(-1, 1, 1)
    expected = module(given)[0]
    assert str(found["classLabel"]) == LABELS[int(expected.argmax())]
    np.testing.assert_allclose(found["classLabel_probs"], expected.detach().numpy(), rtol=1e-4)


class Painter(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.conv(x) * 2
        return y, y.mean(1, keepdim=True).sigmoid()


PICTURES = """
[options.images.x]
[options.output_images.output_0]
color = "bgr"
scale = [100, 120, 140]
bias = 128
[options.output_images.output_1]
color = "grayscale"
scale = 255
"""


@pytest.mark.parametrize("compute", ["float32", "float16"])
def test_outputs_that_are_images(compute: str, targets: Path) -> None:
    torch.manual_seed(1)
    module = Painter().eval()
    accept = () if compute == "float32" else ("accept.max_rel=0.01",)
    settings = (f"numerics.compute={compute}", *accept)
    name = write(targets, "app", PICTURES)
    built = edgec.build(module, (torch.rand(1, 3, 12, 16) * 255 / 64,), target=name, settings=settings)
    assert not built.failures
    assert [image.name for image in built.manifest.shown.pictures] == ["output_0", "output_1"]
    path = built.folder / built.manifest.artifact.path
    spec = coremltools.models.MLModel(str(path), skip_model_load=True).get_spec()
    seen = [f.type.imageType for f in spec.description.output]
    assert [(i.height, i.width, i.colorSpace) for i in seen] == [(12, 16, 30), (12, 16, 10)]
    pixels = np.random.default_rng(0).integers(0, 4, (1, 3, 12, 16)).astype(np.float32)
    with MilRunner(path) as runner:
        found = runner.run({"x": pixels})
    color, gray = (y.detach().numpy() for y in module(torch.from_numpy(pixels)))
    wanted = {"output_0": color * np.array([100, 120, 140]).reshape(1, 3, 1, 1) + 128, "output_1": gray * 255}
    for output, exact in wanted.items():
        assert set(np.unique(found[output])) <= set(range(256))
        assert np.abs(found[output] - np.clip(exact, 0, 255)).max() <= (0.51 if compute == "float32" else 1.5)
    assert found["output_0"].min() == 0
    assert found["output_0"].max() == 255
    assert lint(path) == []
    seen[0].width = 7
    (path / "Data/com.apple.CoreML/model.mlmodel").write_bytes(spec.SerializeToString())
    assert "image-program" in {row.label for row in lint(path)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[options.images.y]\n", "describe `y`, which is not an input"),
        ('[options.images.x]\ncolor = "grayscale"\n', "not (1, 1, height, width)"),
        ('[options.images.x]\ncolor = "rbg"\n', "not one of rgb, bgr, grayscale"),
        ("[options.images.x]\nscale = [1, 2]\n", "has 2 numbers, but rgb has 3 channels"),
        ("[options.images.x]\nscale = 0\n", "erases the image"),
        ('[options.classifier]\noutput = "output"\nlabels = "none.txt"\n', "no file with one label on each line"),
        (
            '[options.classifier]\noutput = "logits"\nlabels = "labels.txt"\n',
            "describe `logits`, which is not an input or output",
        ),
        ('[options.metadata]\nauthor = "A"\nfeatures.z = "?"\n', "describes `z`, not an input or output"),
        ("[options.output_images.x]\n", "names `x`, which is not an output"),
        ("[options.output_images.output]\n", "not (1, 3, height, width)"),
        ("[options]\nimage = 3\n", "unknown key `options.image`"),
    ],
)
def test_an_interface_that_does_not_fit_is_refused(text: str, message: str, targets: Path) -> None:
    name = write(targets, "app", text)
    with pytest.raises(EdgecError) as caught:
        edgec.build(Classifier().eval(), (torch.randn(1, 3, 8, 8),), target=name)
    assert any(message in d.message for d in caught.value.diagnostics), caught.value.diagnostics
    assert {d.code for d in caught.value.diagnostics} == {"E0106"}


def test_weights_are_stored_as_asked(tmp_path: Path) -> None:
    module, x = torch.nn.Sequential(torch.nn.Linear(256, 256), torch.nn.ReLU()).eval(), torch.randn(2, 256)
    whole = edgec.build(module, (x,), "iphone", out=tmp_path / "a", settings=["numerics.compute=float32"])
    narrow = ["numerics.compute=float32", "numerics.weights=float16"]
    half = edgec.build(module, (x,), "iphone", out=tmp_path / "b", settings=narrow)
    assert whole.manifest.artifact.bytes > 256 * 256 * 4
    assert half.manifest.artifact.bytes < 256 * 256 * 2 + 20_000
    assert 1e-6 < half.manifest.accuracy.max_rel < 1e-3
    assert whole.manifest.accuracy.max_rel < 1e-6


@pytest.mark.parametrize(
    "settings",
    [
        ["numerics.weights=float32"],
        ["numerics.compute=float32", "numerics.weights=float16", "options.minimum_deployment_target=iOS15"],
    ],
)
def test_weights_that_cannot_be_stored_so_are_refused(settings: list[str], tmp_path: Path) -> None:
    with pytest.raises(EdgecError) as caught:
        edgec.build(torch.nn.Linear(4, 4), (torch.randn(1, 4),), "iphone", out=tmp_path, settings=settings)
    assert caught.value.diagnostics[0].code == "E0101"
