"""The same bytes for another user, folder, language and time zone, and other hash seeds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests import ROOT

MODELS = ROOT / "models.py"
TARGETS = ("raspberry-pi", "android-fp16")


def _built(folder: Path, environment: dict[str, str]) -> dict[str, bytes]:
    """All files of a build in a separate process."""
    folder.mkdir(parents=True)
    shutil.copy(MODELS, folder / "models.py")
    command = [
        sys.executable,
        "-c",
        "from edgec.cli.app import main; main()",
        "build",
        "models.py:unet",
        "--out",
        "out",
    ]
    command += [part for target in TARGETS for part in ("--target", target)]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    out = folder / "out"
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_nothing_of_the_machine_is_in_the_files(tmp_path: Path) -> None:
    first = {"HOME": str(tmp_path), "USER": "one", "LANG": "C", "LC_ALL": "C", "TZ": "UTC", "PYTHONHASHSEED": "1"}
    second = {**first, "USER": "zwei", "LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"}
    second["PYTHONHASHSEED"] = "2"
    here = _built(tmp_path / "here", first)
    there = _built(tmp_path / "a place" / "elsewhere", second)
    assert sorted(here) == sorted(there)
    assert any(name.endswith(".tflite") for name in here)
    assert [name for name in here if here[name] != there[name]] == []
