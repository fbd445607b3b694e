"""Depfiles, read by the real make and ninja."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edgec.compiler.depfile import write_depfile
from edgec.diag import EdgecError

NAMES = [
    "plain.py",
    "with space.py",
    "dollar$name.py",
    "hash#tag.py",
    "a+b (1).pt",
    "über.npz",
    "sub dir/deep.py",
    "x=y,z.py",
]


def made(folder: Path) -> list[Path]:
    (folder / "sub dir").mkdir()
    for name in NAMES:
        (folder / name).write_text("1")
    return [folder / name for name in NAMES]


def makefile(folder: Path) -> list[str]:
    (folder / "Makefile").write_text("out.bin:\n\tdate +%N > out.bin\n\techo built\n-include out.d\n")
    return ["make", "-s"]


def ninjafile(folder: Path) -> list[str]:
    """As a user writes it: the command writes the depfile."""
    shutil.copy(folder / "out.d", folder / "kept.d")
    text = "rule edgec\n  command = date +%N > out.bin; cp kept.d out.d; echo built\n  depfile = out.d\n"
    (folder / "build.ninja").write_text(f"{text}build out.bin: edgec\n")
    return ["ninja"]


@pytest.mark.parametrize("tool", ["make", "ninja"])
def test_a_change_of_any_input_builds_again(tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    monkeypatch.chdir(tmp_path)
    inputs = made(tmp_path)
    write_depfile(Path("out.d"), [Path("out.bin")], inputs)
    command = (makefile if tool == "make" else ninjafile)(tmp_path)

    def builds() -> bool:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return "built" in done.stdout

    assert builds()
    assert not builds()
    for i, path in enumerate(inputs, 1):
        later = (tmp_path / "out.bin").stat().st_mtime + 2 * i
        os.utime(path, (later, later))
        assert builds(), path
        os.utime(path, (1, 1))
        assert not builds(), path
    inputs[0].unlink()
    assert builds()


def test_what_no_makefile_can_hold(tmp_path: Path) -> None:
    with pytest.raises(EdgecError) as refused:
        write_depfile(tmp_path / "d", [tmp_path / "100%"], [])
    assert refused.value.diagnostics[0].code == "E0101"
    (tmp_path / "f").write_text("")
    with pytest.raises(EdgecError) as refused:
        write_depfile(tmp_path / "f" / "d", [tmp_path / "a"], [])
    assert refused.value.diagnostics[0].code == "E0108"
