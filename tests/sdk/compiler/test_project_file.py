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
