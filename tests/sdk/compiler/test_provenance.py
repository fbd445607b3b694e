"""What manifests say of a build's request, the same in any folder, and what `check` makes of it later."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from edgec.cli.app import app

NET = """
import torch
from blocks import Block
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        with open("classes.txt") as file:
            count = len(file.read().split())
        self.conv = torch.nn.Conv2d(3, count, 3)
        self.block = Block()
    def forward(self, x):
        return self.block(self.conv(x))
"""
BLOCKS = """
import torch
from deep.sizes import OFFSET
class Block(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x) + OFFSET
"""
TARGET = """
name = "own"
summary = "an own target"
inherits = "android"
[options.metadata.outputs.output]
labels = "labels.txt"
"""


def written(folder: Path) -> Path:
    """A project with everything that a build reads."""
    for name, text in (("net.py", NET), ("blocks.py", BLOCKS), ("deep/sizes.py", "OFFSET = 1.5\n")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "classes.txt").write_text("cat dog")
    (folder / "targets").mkdir()
    (folder / "targets" / "own.toml").write_text(TARGET)
    (folder / "targets" / "labels.txt").write_text("\n".join(map(str, range(6))))
    np.savez(folder / "samples.npz", x=np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32))
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(3, 2, 3)
    torch.save({f"conv.{k}": v for k, v in conv.state_dict().items()}, folder / "w.pt")
    return folder


def edgec(*words: object) -> object:
    return CliRunner().invoke(app, [str(word) for word in words])


BUILD = ("build", "net.py:Net", "--target", "own", "--samples", "samples.npz", "--weights", "w.pt", "-q")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = written(tmp_path_factory.mktemp("first") / "a project")
    before = Path.cwd()
    os.chdir(folder)
    try:
        done = edgec(*BUILD, "--depfile", "out.d")
        assert done.exit_code == 0, done.stderr
    finally:
        os.chdir(before)
    return folder


READ = {
    ("data", "classes.txt"),
    ("device", "edgec/device_profiles/galaxy-s24.toml"),
    ("labels", "targets/labels.txt"),
    ("module", "blocks.py"),
    ("module", "deep/sizes.py"),
    ("samples", "samples.npz"),
    ("source", "net.py"),
    ("target", "edgec/targets/android.toml"),
    ("target", "targets/own.toml"),
    ("weights", "w.pt"),
}


def test_a_manifest_tells_the_command_and_every_file(project: Path) -> None:
    manifest = json.loads((project / "build/Net/own/manifest.json").read_text())
    said = manifest["provenance"]
    assert " ".join(said["command"]) == ("edgec build net.py:Net --target own --samples samples.npz --weights w.pt")
    assert {(f["kind"], f["path"]) for f in said["files"]} == READ
    assert all(len(f["sha256"]) == 64 for f in said["files"])
    assert str(project) not in json.dumps(manifest)
    (output,) = manifest["app"]["outputs"]
    assert output["labels"] == [str(i) for i in range(6)]


def test_a_depfile_names_every_file(project: Path) -> None:
    rule = (project / "out.d").read_text().splitlines()[0]
    output, inputs = rule.split(": ")
    assert output == "build/Net/own/Net.tflite"
    assert {word for word in inputs.split() if not word.startswith("/")} == {
        path for _, path in READ if not path.startswith("edgec/")
    }


def test_the_same_command_gives_the_same_manifest_in_another_folder(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(project, other, ignore=shutil.ignore_patterns("build", "out.d"))
    monkeypatch.chdir(other)
    assert edgec(*BUILD).exit_code == 0
    first, second = ((f / "build/Net/own/manifest.json").read_bytes() for f in (project, other))
    assert first == second


@pytest.mark.parametrize("name", ["net.py", "deep/sizes.py", "classes.txt", "w.pt", "targets/labels.txt"])
def test_a_check_says_which_file_changed(name: str, project: Path, tmp_path: Path) -> None:
    """From another folder: the manifest leads to the files."""
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    same = edgec("check", copy / "build/Net/own", "--json")
    assert same.exit_code == 0, same.stderr
    assert json.loads(same.stdout)["checks"]["source"] == f"as it was at the build: {len(READ)} files"
    with (copy / name).open("ab") as file:
        file.write(b"\n")
    told = edgec("check", copy / "build/Net/own", "--json")
    assert told.exit_code == 0
    (warning,) = json.loads(told.stdout)["diagnostics"]
    assert (warning["code"], warning["severity"]) == ("E0615", "warning")
    assert [note.split("`")[1] for note in warning["notes"]] == [name]


def test_an_artifact_that_went_elsewhere_is_not_held_against_anything(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project / "build/Net/own", tmp_path / "shipped")
    told = json.loads(edgec("check", tmp_path / "shipped", "--json").stdout)
    assert told["diagnostics"] == []
    assert "are not here" in told["checks"]["source"]


def test_a_comparison_needs_no_option_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text("import torch\nmodel = torch.nn.Softmax(1)\n")
    monkeypatch.chdir(tmp_path)
    options = ("--input", "input=2x3", "--dynamic", "input:0=rows:1..4")
    assert edgec("build", "net.py:model", "--target", "rtx", *options, "-q").exit_code == 0
    done = edgec("check", "build/model/rtx", "--against", "net.py:model")
    assert done.exit_code == 0, done.stderr
    assert "passed" in done.stdout
    (given,) = json.loads((tmp_path / "build/model/rtx/manifest.json").read_text())["app"]["inputs"]
    assert (given["shape"], given["open"]) == (["rows", 3], {"rows": [1, 4]})


CODER = """
import torch
def encode(): return torch.nn.Linear(4, 2), (torch.randn(1, 4),)
def decode(): return torch.nn.Linear(2, 4), (torch.randn(1, 2),)
"""


def test_functions_are_compared_with_their_own_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(CODER)
    lines = ["[[model]]", 'name = "coder"', 'source = "net.py:encode"', 'function = ["decode=net.py:decode"]']
    lines += ['target = ["iphone"]', 'set = ["options.minimum_deployment_target=iOS18"]']
    (tmp_path / "edgec.toml").write_text("\n".join(lines))
    assert edgec("build", "-q").exit_code == 0
    folder = "build/coder/iphone"
    manifest = json.loads((tmp_path / folder / "manifest.json").read_text())
    assert {f["kind"] for f in manifest["provenance"]["files"]} == {"source", "project", "target", "device"}
    checks = json.loads(edgec("check", folder, "--against", "coder", "--json").stdout)["checks"]
    assert {"accuracy", "accuracy of decode"} <= checks.keys()
    one = edgec("check", folder, "--against", "coder", "--function", "decode", "--json")
    assert one.exit_code == 0, one.stderr
    swapped = edgec("check", folder, "--against", "net.py:encode", "--function", "decode=net.py:encode")
    assert swapped.exit_code != 0
    alone = edgec("check", folder, "--function", "decode=net.py:decode")
    assert (alone.exit_code, "--against" in alone.stderr) == (2, True)
