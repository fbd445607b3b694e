"""The interface in a manifest is the one that an app finds in the file."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import edgec

LABELS = "cat\ndog\nfish\n"


class Classifies(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.conv(image).mean((2, 3)).softmax(1)


class Segments(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, image: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        return self.conv(image) * gain


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(1, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total += x
        return F.relu(self.total)


def own(folder: Path, parent: str, text: str) -> str:
    (folder / "targets").mkdir(exist_ok=True)
    (folder / "labels.txt").write_text(LABELS)
    (folder / "targets" / "own.toml").write_text(f'name = "own"\nsummary = "own"\ninherits = "{parent}"\n{text}')
    return "own"


def app(folder: Path, module: nn.Module, example: tuple[torch.Tensor, ...], target: str, **more: object) -> dict:
    built = edgec.build(module.eval(), example, target, out=folder / "build", name="m", **more)
    assert not built.failures
    document = json.loads((built.folder / "manifest.json").read_text())
    assert document["inputs"], "the source's own terms stay"
    return document["app"]


IMAGE = torch.rand(1, 3, 8, 8) * 255


def test_an_image_and_a_classifier_on_core_ml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = '[options.images.image]\ncolor = "bgr"\nscale = 0.5\nbias = [-1, -2, -3]\n'
    text += '[options.classifier]\noutput = "output"\nlabels = "../labels.txt"\n'
    said = app(tmp_path, Classifies(), (IMAGE / 255 - 1,), own(tmp_path, "iphone", text))
    (given,) = said["inputs"]
    assert (given["kind"], given["dtype"], given["shape"]) == ("image", "uint8", [1, 3, 8, 8])
    assert given["image"] == {"color": "bgr", "scale": [0.5], "bias": [-1, -2, -3], "by": "artifact"}
    assert {(o["name"], o["kind"], o["source"]) for o in said["outputs"]} == {
        ("classLabel", "label", "output"),
        ("classLabel_probs", "probabilities", "output"),
    }
    assert all(o["labels"] == LABELS.split() for o in said["outputs"])


def test_channels_last_with_the_apps_own_normalization_on_tflite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = '[options]\nio_layout = "nhwc"\n[options.metadata.inputs.image]\ncolor = "rgb"\n'
    text += "mean = [127.5, 127.5, 127.5]\nstd = [2, 4, 8]\n"
    example = (torch.randn(1, 3, 8, 6), torch.ones(1))
    said = app(tmp_path, Segments(), example, own(tmp_path, "android", text), dynamic=["image:2=h:4..16"])
    image, gain = said["inputs"]
    assert (image["name"], image["layout"], image["shape"]) == ("image", "NHWC", [1, "h", 6, 3])
    assert image["open"] == {"h": [4, 16]}
    assert image["image"]["by"] == "app"
    assert image["image"]["scale"] == [0.5, 0.25, 0.125]
    assert image["image"]["bias"] == [-63.75, -31.875, -15.9375]
    assert (gain["layout"], gain["shape"], gain["kind"]) == ("source", [1], "tensor")
    (output,) = said["outputs"]
    assert (output["layout"], output["shape"]) == ("NHWC", [1, "h", 6, 2])


def test_states_are_pairs_of_names_of_the_artifact(tmp_path: Path) -> None:
    said = app(tmp_path, Counts(), (torch.randn(1, 4),), "android")
    (state,) = said["states"]
    assert state["kept"] == "app"
    assert state["input"] in {i["name"] for i in said["inputs"]}
    assert state["output"] in {o["name"] for o in said["outputs"]}


def test_a_name_that_the_format_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return {'a-b': x * 2 + 1}\n"
    )
    built = edgec.build(_imported(tmp_path / "net.py").Net(), (torch.randn(2, 3),), "iphone", out=tmp_path / "out")
    (output,) = built.manifest.app.outputs
    assert (output.source, output.name) == ("a-b", "a_b")


def _imported(path: Path) -> object:
    from edgec.frontend.import_code import import_code

    return import_code(str(path))
