"""Completion as shells ask for it; bash itself runs the script that `--show-completion` prints."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgec.cli.completion import complete_source

NET = "import torch\nclass Net(torch.nn.Module):\n    pass\ndef model():\n    return Net()\n_private = other = 1\n"


def asked(shell: str, words: list[str], folder: Path) -> list[str]:
    """What the command line answers a shell whose last word is being typed."""
    line = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    line |= {"_TYPER_COMPLETE_ARGS": " ".join(words), "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    environment = {**os.environ, **line, "_EDGEC_COMPLETE": f"complete_{shell}"}
    command = [sys.executable, "-m", "edgec"]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "model.onnx").touch()
    (tmp_path / "notes.txt").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("edgec bui", {"build"}),
        ("edgec build --target onnxr", {"onnxruntime-mobile"}),
        ("edgec build --target = onnxr", {"onnxruntime-mobile"}),
        ("edgec build --target iphone net.py : mo", {"model"}),
        ("edgec build net.py :", {"Net", "model", "other"}),
        ("edgec explain E011", {"E0110", "E0111"}),
        ("edgec explain control", {"control-flow"}),
    ],
)
def test_bash_is_answered_for_the_word_that_it_completes(words: str, found: set[str], folder: Path) -> None:
    assert set(asked("bash", words.split(), folder)) == found


def test_other_shells(folder: Path) -> None:
    assert asked("fish", ["edgec", "build", "--target", "onnxr"], folder) == ["onnxruntime-mobile"]
    assert any("onnxruntime-mobile" in word for word in asked("zsh", ["edgec", "build", "--target", "onnxr"], folder))
    for shell in ("zsh", "fish"):
        command = [sys.executable, "-m", "edgec", "--show-completion", shell]
        given = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # it takes the shell that runs it
        done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
        assert f"_EDGEC_COMPLETE=complete_{shell}" in done.stdout


def test_sources_are_files_and_what_they_hold(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert complete_source("") == ["model.onnx", "net.py:"]
    assert complete_source("net.py:N") == ["net.py:Net"]
    assert complete_source("none.py:") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_with_the_script(folder: Path) -> None:
    (folder / "bin").mkdir()
    command = folder / "bin" / "edgec"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m edgec "$@"\n')
    command.chmod(0o755)
    script = """
    eval "$(edgec --show-completion bash)"
    complete -p edgec
    COMP_WORDS=(edgec build net.py : mo) COMP_CWORD=4
    "$(complete -p edgec | sed 's/.*-F \\([^ ]*\\).*/\\1/')" edgec
    echo "${COMPREPLY[@]}"
    """
    environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "model"
