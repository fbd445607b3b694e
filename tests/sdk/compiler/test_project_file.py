"""`edgec build` in a folder with an `edgec.toml`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MODEL = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)
    def forward(self, x):
        return self.layer(x)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from edgec.cli.app import main; main()", "build", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def project(folder: Path, *lines: str) -> None:
    (folder / "net.py").write_text(MODEL)
    (folder / "edgec.toml").write_text("\n".join(lines) + "\n")


def test_a_folder_builds_what_its_file_says_and_options_come_first(tmp_path: Path) -> None:
    project(
        tmp_path,
        'source = "net.py:Net"',
        'target = ["android", "rtx"]',
        'input = ["x=1x4"]',
        'name = "linear"',
        'range = ["x=-2..300"]',
        'set = ["accept.max_rel=0.001"]',
    )
    done = run(tmp_path, "--target", "android", "--out", "made", "--json")
    assert done.returncode == 0, done.stderr
    (artifact,) = json.loads(done.stdout)["artifacts"]
    assert (artifact["name"], artifact["target"]) == ("linear", "android")
    assert (tmp_path / "made" / "linear" / "android" / "linear.tflite").is_file()
    assert artifact["ranges"] == [{"input": "x", "low": -2, "high": 300, "origin": "request", "shown": 300}]


def test_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    project(tmp_path, 'source = "net.py:Net"', 'targets = ["android"]', "input = 3")
    done = run(tmp_path)
    assert done.returncode == 2
    assert "edgec.toml:2" in done.stderr
    assert "did you mean `target`?" in done.stderr
    assert "edgec.toml:3" in done.stderr


def test_nothing_to_build(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert "no `edgec.toml`" in done.stderr


def test_no_target(tmp_path: Path) -> None:
    project(tmp_path, 'source = "net.py:Net"')
    done = run(tmp_path)
    assert done.returncode == 2
    assert "no target was given" in done.stderr


TWO = """
[[model]]
name = "small"
source = "a/net.py:Net"
target = ["android"]
input = ["x=1x4"]

[[model]]
name = "large"
source = "b/net.py:Net"
target = ["android"]
input = ["x=1x4"]
"""


def two(folder: Path) -> None:
    """Two models whose folders contain modules with the same name and different sizes."""
    (folder / "edgec.toml").write_text(TWO)
    for name, size in (("a", 2), ("b", 5)):
        (folder / name).mkdir()
        (folder / name / "sizes.py").write_text(f"OUT = {size}\n")
        text = MODEL.replace("import torch", "import torch\nfrom sizes import OUT").replace("(4, 2)", "(4, OUT)")
        (folder / name / "net.py").write_text(text)


def test_several_models_are_built_from_a_folder_below(tmp_path: Path) -> None:
    two(tmp_path)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    done = run(tmp_path / "deep" / "er", "--json")
    assert done.returncode == 0, done.stderr
    assert "reading ../../edgec.toml" in done.stderr
    made = json.loads(done.stdout)["artifacts"]
    assert [(a["name"], a["outputs"][0]["shape"]) for a in made] == [("small", [1, 2]), ("large", [1, 5])]
    assert (tmp_path / "build" / "large" / "android" / "large.tflite").is_file()
    one = run(tmp_path, "large", "--out", "other", "--json")
    assert [a["name"] for a in json.loads(one.stdout)["artifacts"]] == ["large"], one.stderr
    assert (tmp_path / "other" / "large").is_dir()
    assert not (tmp_path / "other" / "small").exists()


def test_a_model_that_fails_hides_no_other(tmp_path: Path) -> None:
    two(tmp_path)
    (tmp_path / "a" / "net.py").write_text("import nothing_of_that_name\n")
    done = run(tmp_path, "--json")
    assert done.returncode == 2
    assert "model `small`" in done.stderr
    assert [a["name"] for a in json.loads(done.stdout)["artifacts"]] == ["large"]


def test_what_a_project_does_not_have(tmp_path: Path) -> None:
    two(tmp_path)
    typo = run(tmp_path, "larg")
    assert (typo.returncode, "did you mean `large`?" in typo.stderr) == (2, True)
    assert "is for one model" in run(tmp_path, "--name", "x").stderr
    (tmp_path / "own" / ".git").mkdir(parents=True)
    outside = run(tmp_path / "own")
    assert "no SOURCE was given" in outside.stderr
