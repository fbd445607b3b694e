"""The wheel: reproducible, complete, and usable without its extras."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import without_extras
from tests.without_extras import ASKED, Outcome, faults, write_files

ROOT = Path(__file__).resolve().parents[3]


def _wheel(source: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def test_it_holds_targets_devices_and_pages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    for folder, packed, suffix in (
        ("targets", "targets", "toml"),
        ("device_profiles", "device_profiles", "toml"),
        ("docs/explain", "explain", "md"),
        ("docs/how-to", "how-to", "md"),
    ):
        files = list((ROOT / folder).glob(f"*.{suffix}"))
        assert files
        assert {f"edgec/_data/{packed}/{file.name}" for file in files} <= inside
    assert {"edgec/py.typed", "edgec/ledger/coreml/operations.json"} <= inside
    assert not [name for name in inside if name.startswith("tests/") or "__pycache__" in name]


def test_a_copy_of_other_dates_and_modes_gives_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in ("edgec", "targets", "device_profiles", "docs/explain", "docs/how-to"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, copy_function=shutil.copyfile, ignore=ignored)
    for name in ("pyproject.toml", "README.md", ".gitignore"):
        shutil.copyfile(ROOT / name, copy / name)
    for name in ("latency.md", "what-a-device-demands.md"):
        shutil.copyfile(ROOT / "docs" / name, copy / "docs" / name)
    (copy / "edgec" / "api" / "functions.py").chmod(0o600)
    os.utime(copy / "edgec" / "api" / "functions.py", (0, 1e9))
    assert _wheel(copy, tmp_path).read_bytes() == wheel.read_bytes()


def test_it_says_which_extra_is_missing(wheel: Path, tmp_path: Path) -> None:
    package, work = tmp_path / "package", tmp_path / "work"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(package)
    work.mkdir()
    write_files(work)
    environment = {**os.environ, "PYTHONPATH": str(package)}
    command = [sys.executable, without_extras.__file__]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert Path(told["package"]).is_relative_to(package)
    outcomes = [Outcome(**outcome) for outcome in told["outcomes"]]
    assert [fault for asked, seen in zip(ASKED, outcomes, strict=True) for fault in faults(asked, seen)] == []
