"""`run` and `inspect` as a person reads them: labels, images, states, modules, the oldest system."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from edgec.cli.app import app

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
        self.head = nn.Linear(8, 4)

    def forward(self, image):
        return {"scores": self.head(self.body(image).mean((2, 3))).softmax(-1)}

class Count(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(1, 4))

    def forward(self, x):
        self.total += x
        return self.total * 1.0

def net():
    return Net(), (torch.rand(1, 3, 16, 16),)

def count():
    return Count(), (torch.ones(1, 4),)
"""
PHONE = """
name = "phone"
inherits = "iphone"
summary = "with an image and labels"
[options.images.image]
color = "bgr"
scale = 0.5
bias = [1.0, 2.0, 3.0]
[options.classifier]
output = "scores"
labels = "labels.txt"
"""
BOARD = """
name = "board"
inherits = "android"
summary = "with an image and labels"
[options]
io_layout = "nhwc"
[options.metadata.inputs.image]
color = "rgb"
mean = [10.0, 20.0, 30.0]
std = [2.0, 4.0, 8.0]
[options.metadata.outputs.scores]
labels = "labels.txt"
"""
LABELS = ["tench", "goldfish", "great white shark", "tiger shark"]


def edgec(*words):
    return CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classifiers of images and a counter, built."""
    made = tmp_path_factory.mktemp("work")
    (made / "net.py").write_text(NET)
    (made / "targets").mkdir()
    for name, text in (("phone.toml", PHONE), ("board.toml", BOARD), ("labels.txt", "\n".join(LABELS))):
        (made / "targets" / name).write_text(text)
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(made / "photo.png")
    np.save(made / "ones.npy", np.ones((1, 4), np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        for source, targets in (("net.py:net", ("phone", "board")), ("net.py:count", ("android", "iphone-ios18"))):
            done = edgec("build", source, "-q", *(word for t in targets for word in ("--target", t)))
            assert done.exit_code == 0, done.stderr
    return made


def reference(folder: Path, values: np.ndarray) -> np.ndarray:
    """What the module itself gives for values that the model takes."""
    import torch

    from edgec.frontend.torch.importer import SEED

    torch.manual_seed(SEED)
    scope: dict = {}
    exec(NET, scope)
    with torch.no_grad():
        return scope["Net"]().eval()(torch.from_numpy(values.astype(np.float32)))["scores"].numpy()


@pytest.mark.parametrize(
    ("target", "output", "values"),
    [
        ("phone", "classLabel_probs", lambda p: p[:, ::-1] * 0.5 + np.reshape([1.0, 2.0, 3.0], (1, 3, 1, 1))),
        (
            "board",
            "scores",
            lambda p: (p - np.reshape([10.0, 20.0, 30.0], (1, 3, 1, 1))) / np.reshape([2.0, 4.0, 8.0], (1, 3, 1, 1)),
        ),
    ],
)
def test_a_photo_gives_the_best_labels(folder, monkeypatch, target, output, values):
    monkeypatch.chdir(folder)
    pixels = np.asarray(Image.open("photo.png")).transpose(2, 0, 1)[None].astype(np.float64)
    wanted = reference(folder, values(pixels)).reshape(-1)
    done = edgec("run", f"build/net/{target}", "--input", "photo.png", "--json")
    found = {o["name"]: o for o in json.loads(done.stdout)["outputs"]}[output]
    np.testing.assert_allclose(np.reshape(found["values"], -1), wanted, atol=2e-2)
    best = [LABELS[i] for i in np.argsort(-wanted)]
    assert found["top"][0]["label"] == best[0]
    assert found["top"][0]["score"] == max(np.reshape(found["values"], -1))
    lines = edgec("run", f"build/net/{target}", "--input", "photo.png").stdout.splitlines()
    assert any(line.split()[:1] == best[0].split()[:1] for line in lines)
    numbers = [re.sub(r"e.*|\.", "", word).lstrip("-0") for line in lines for word in line.split()]
    assert all(len(number) <= 4 for number in numbers if number.isdigit())


def test_steps_carry_the_states_whoever_keeps_them(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for target in ("android", "iphone-ios18"):
        done = edgec("run", f"build/count/{target}", "--input", "x=ones.npy", "--steps", 3, "--json")
        outputs = json.loads(done.stdout)["outputs"]
        assert outputs[0]["values"] == [[3.0] * 4]
    np.save("steps.npy", np.arange(8, dtype=np.float32).reshape(2, 1, 4))
    done = edgec("run", "build/count/android", "--input", "x=steps.npy", "--json")
    assert json.loads(done.stdout)["outputs"][0]["values"] == [[4.0, 6.0, 8.0, 10.0]]


def test_labels_of_a_file(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(folder)
    (tmp_path / "three.txt").write_text("a\nb\nc\n")
    refused = edgec("run", "build/count/android", "--input", "x=ones.npy", "--labels", tmp_path / "three.txt")
    assert refused.exit_code == 2
    assert "no output has a score for each of the 3 labels" in refused.stderr
    shown = edgec("run", "build/count/android", "--input", "x=ones.npy", "--labels", "targets/labels.txt").stdout
    assert "goldfish" in shown


def test_inspect_shows_the_apps_interface_and_the_sources_names(folder, monkeypatch):
    monkeypatch.chdir(folder)
    shown = {t: edgec("inspect", f"build/net/{t}").stdout for t in ("phone", "board")}
    assert "a BGR image" in shown["phone"]
    assert "an RGB image" in shown["board"]
    for text in shown.values():
        assert "4 labels: tench, goldfish, great white shark, …" in text
        assert "body.0.weight" in text
        assert "bytes  body.0" in text
    assert "iOS 17, macOS 14 or later" in shown["phone"]
    assert "TFLite runtime" in shown["board"]
    assert "the app passes it on" in edgec("inspect", "build/count/android").stdout


def test_inspect_reads_sources(folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = json.loads(edgec("inspect", "net.py:net", "--json").stdout)
    assert found["parameters"] == 3 * 8 * 9 + 8 + 8 * 4 + 4
    assert {w["name"] for w in found["weights"]} >= {"body.0.weight", "body.0.bias", "head.weight", "head.bias"}
    assert found["modules"] == {"body.0": 896, "head": 144}
    assert found["inputs"][0]["shape"] == [1, 3, 16, 16]
    (state,) = json.loads(edgec("inspect", "net.py:count", "--json").stdout)["states"]
    assert (state["input"], state["shape"]) == ("total", [1, 4])


def test_a_name_that_no_tensor_has_is_told_before_the_graph_is_rewritten(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "targets" / "wrong.toml").write_text(
        PHONE.replace('"phone"', '"wrong"').replace("images.image", "images.imgae")
    )
    refused = edgec("build", "net.py:net", "--target", "wrong", "--out", "elsewhere")
    assert refused.exit_code == 2
    assert "error[E0106]: the options of target `wrong` describe `imgae`" in refused.stderr
    assert "did you mean `image`?" in refused.stderr
    assert "wrong.toml" in refused.stderr
    assert "canonicalize" not in refused.stderr
