"""`edgec evaluate` from outside: artifacts beside their source on labelled data, and a limit that is kept or not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edgec.cli.app import app

SOURCE = """
import numpy as np
import torch

class Net(torch.nn.Module):
    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.conv, self.fc = torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.Linear(8, 4)

    def forward(self, image):
        return self.fc(torch.relu(self.conv(image)).mean((2, 3)) * 20)

def model():
    return Net(0).eval(), (torch.rand(1, 3, 16, 16),)

def other():
    return Net(1).eval(), (torch.rand(1, 3, 16, 16),)

def rows():
    rng, net = np.random.default_rng(0), Net(0).eval()
    for _ in range(60):
        x = rng.random((3, 16, 16), dtype=np.float32) * rng.random((3, 1, 1), dtype=np.float32)
        with torch.no_grad():
            yield x, int(net(torch.from_numpy(x)[None]).argmax())

def agrees(outputs, target):
    (scores,) = outputs.values()
    return float(scores.argmax() == target)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "net.py").write_text(SOURCE)
    for name in ("model", "other"):
        done = _edgec("build", f"{folder}/net.py:{name}", "--target", "android", "--target", "iphone", "--out", folder)
        assert done[0] == 0, done[1]
    return folder


def _edgec(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.output


def _evaluate(folder: Path, *words: object) -> tuple[int, dict[str, object]]:
    code, text = _edgec("evaluate", *words, "--against", f"{folder}/net.py:model", "--json")
    return code, json.loads(text[text.index("{") : text.rindex("}") + 1])


@pytest.mark.parametrize("metric", ["top1", "f1", "own"])
def test_artifacts_of_the_source_lose_nothing(built: Path, metric: str) -> None:
    named = f"{built}/net.py:agrees" if metric == "own" else metric
    artifacts = [built / "model" / target for target in ("android", "iphone")]
    code, found = _evaluate(built, *artifacts, "--data", f"{built}/net.py:rows", "--metric", named, "--max-drop", 0.3)
    assert code == 0
    assert [e["metric"]["value"] for e in found["evaluations"]] == pytest.approx([1.0 if metric == "own" else 100] * 3)
    assert found["samples"] == 60
    manifest = json.loads((artifacts[1] / "manifest.json").read_text())
    (entry,) = [e for e in manifest["evaluation"] if e["metric"] == named]
    assert entry["drop"] == 0
    assert entry["data_sha256"] == found["data_sha256"]


def test_a_model_that_is_another_one_fails_and_its_manifest_says_by_how_much(built: Path) -> None:
    artifact = built / "other" / "android"
    code, found = _evaluate(built, artifact, "--data", f"{built}/net.py:rows", "--metric", "top1", "--max-drop", 5)
    assert code == 1
    (told,) = found["diagnostics"]
    assert told["code"] == "E0616"
    (entry,) = json.loads((artifact / "manifest.json").read_text())["evaluation"]
    assert entry["drop"] > 5
    assert entry["drop_low"] > 0
    assert entry["p_value"] < 0.05


def test_an_evaluation_is_replaced_by_the_next_of_the_same_data(built: Path) -> None:
    artifact, data = built / "model" / "android", built / "few.npz"
    np.savez(data, image=np.random.default_rng(0).random((3, 3, 16, 16)), y=np.array([0, 1, 2]))
    for _ in range(2):
        assert _edgec("evaluate", artifact, "--data", data, "--metric", "top1")[0] == 0
    entries = json.loads((artifact / "manifest.json").read_text())["evaluation"]
    assert len([e for e in entries if e["metric"] == "top1" and e["samples"] == 3]) == 1
