"""A build never replaces files that it did not write, and a failed build never replaces a good one."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgec.artifact import files
from edgec.artifact.manifest import Manifest
from edgec.artifact.output import build_folder, check_owned, failed_folder, files_below, foreign_files, publish
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest, source_name
from tests.unit.artifact.test_artifact import MANIFEST


def write_build(folder: Path, content: str, manifest: Manifest = MANIFEST) -> None:
    with build_folder(folder) as scratch:
        (scratch / "m.mlpackage" / "Data").mkdir(parents=True)
        (scratch / "m.mlpackage" / "Data" / "weights").write_text(content)
        (scratch / "m.tflite").write_text(content)
        (scratch / "manifest.json").write_text(replace(manifest, files=files_below(scratch)).to_json())
        publish(scratch, folder)


def tree(folder: Path) -> dict[str, str]:
    """All files with their content, and all links and folders."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        else:
            found[name] = "folder" if path.is_dir() else path.read_text()
    return found


def add_beside(folder: Path) -> None:
    (folder / "MainActivity.kt").write_text("mine")


def add_in_package(folder: Path) -> None:
    (folder / "m.mlpackage" / "Data" / "notes.txt").write_text("mine")


def add_link(folder: Path) -> None:
    (folder / "link").symlink_to("../elsewhere")


def replace_with_link(folder: Path) -> None:
    (folder / "m.tflite").unlink()
    (folder / "m.tflite").symlink_to("../elsewhere")


def add_hidden(folder: Path) -> None:
    (folder / ".gitignore").write_text("mine")


def add_empty_folder(folder: Path) -> None:
    (folder / "src").mkdir()


def other_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"manifest_version": 3}')


FOREIGN = [add_beside, add_in_package, add_link, replace_with_link, add_hidden, add_empty_folder, other_manifest]


@pytest.mark.parametrize("add", FOREIGN)
def test_foreign_files_stop_a_build_and_stay(tmp_path: Path, add) -> None:
    folder = tmp_path / "m" / "android"
    write_build(folder, "old")
    add(folder)
    before = tree(tmp_path)
    for attempt in (lambda: check_owned(folder), lambda: write_build(folder, "new")):
        with pytest.raises(EdgecError) as caught:
            attempt()
        assert caught.value.diagnostics[0].code == "E0111"
        assert tree(tmp_path) == before


def test_a_folder_that_no_build_made_is_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "myapp" / "android"
    folder.mkdir(parents=True)
    add_beside(folder)
    with pytest.raises(EdgecError) as caught:
        write_build(folder, "new")
    assert "`MainActivity.kt`" in caught.value.diagnostics[0].notes
    assert tree(tmp_path / "myapp") == {"android": "folder", "android/MainActivity.kt": "mine"}


def test_a_file_in_the_folders_place_is_foreign(tmp_path: Path) -> None:
    (tmp_path / "android").write_text("mine")
    with pytest.raises(EdgecError) as caught:
        write_build(tmp_path / "android", "new")
    assert caught.value.diagnostics[0].code == "E0111"
    assert (tmp_path / "android").read_text() == "mine"


@pytest.mark.parametrize("kernel", [True, False])
def test_an_earlier_build_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: bool) -> None:
    if not kernel:
        monkeypatch.setattr(files, "swapped_by_kernel", lambda first, second: False)
    folder = tmp_path / "m" / "android"
    write_build(folder, "old")
    (folder / ".DS_Store").write_text("the Finder was here")
    write_build(folder, "new")
    assert (folder / "m.tflite").read_text() == "new"
    assert foreign_files(folder) == []
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["android"]


def test_foreign_files_that_come_during_the_swap_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "android"
    write_build(folder, "old")
    real = files.exchange
    late = iter([True])

    def exchange(scratch: Path, destination: Path) -> bool:
        if next(late, False):
            add_beside(destination)
        return real(scratch, destination)

    monkeypatch.setattr("edgec.artifact.output.exchange", exchange)
    with pytest.raises(EdgecError):
        write_build(folder, "new")
    assert (folder / "MainActivity.kt").read_text() == "mine"
    assert (folder / "m.tflite").read_text() == "old"


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    write_build(tmp_path / "disk", "old")
    (tmp_path / "android").symlink_to("disk")
    write_build(tmp_path / "android", "new")
    assert (tmp_path / "android").is_symlink()
    assert (tmp_path / "disk" / "m.tflite").read_text() == "new"


KILLED = """
import os, signal, sys
from pathlib import Path
from edgec.artifact.output import build_folder
with build_folder(Path(sys.argv[1])) as scratch:
    (scratch / "half").write_text("written")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_build_leaves_is_swept_by_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "m" / "android"
    write_build(folder, "old")
    with build_folder(folder) as running:  # a build that is still running keeps its folder
        subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
        assert len(list((tmp_path / "m").iterdir())) == 3
        write_build(folder, "new")
        assert running.is_dir()
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["android"]


def test_a_failed_folder_lies_beside(tmp_path: Path) -> None:
    assert failed_folder(tmp_path / "android") == tmp_path / "android.failed"
    (tmp_path / "android.failed").mkdir()
    add_beside(tmp_path / "android.failed")
    with pytest.raises(EdgecError):
        check_owned(tmp_path / "android")


@pytest.mark.parametrize(
    ("name", "safe"), [("..", "model"), ("../../etc/x", "_.._etc_x"), (".hidden", "hidden"), ("a b", "a_b")]
)
def test_names_lead_nowhere_else(name: str, safe: str) -> None:
    assert source_name(SourceRequest("m.py:m", name=name)) == safe
