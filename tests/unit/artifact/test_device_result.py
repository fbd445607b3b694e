"""The answers of a Mac's loader, from the script that collects them to the manifest."""

import json
import subprocess
from pathlib import Path

import pytest

from edgec.artifact.device_result import read_result
from edgec.artifact.files import sha256_of
from edgec.artifact.manifest import DeviceLoaded
from edgec.diag import EdgecError
from edgec.runners.apple import load_all


def package(folder: Path, name: str) -> Path:
    path = folder / name
    (path / "Data/weights").mkdir(parents=True)
    (path / "Manifest.json").write_text(f"{{}} {name}")
    (path / "Data/weights/weight.bin").write_bytes(b"\0" * 64)
    return path


@pytest.fixture
def xcode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fakes of Core ML's compiler and loader: packages named bad do not compile, those named sad do not load."""

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        said = ""
        if command[:3] == ["xcrun", "coremlcompiler", "compile"]:
            if "bad" in command[3]:
                said = "error: Required param 'interleave' is missing"
            else:
                (Path(command[4]) / Path(command[3]).with_suffix(".mlmodelc").name).mkdir()
        elif command[0] != "xcrun" and "sad" in command[1]:
            said = "Error in declaring network"
        return subprocess.CompletedProcess(command, int(bool(said)), said, "")

    monkeypatch.setattr(load_all.subprocess, "run", run)
    monkeypatch.setattr(load_all, "system", lambda: "macOS 15.2 on arm64")


@pytest.mark.usefixtures("xcode")
def test_every_package_of_a_folder_is_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, sad = (package(tmp_path / "build" / n, f"{n}.mlpackage") for n in ("good", "bad", "sad"))
    answer = tmp_path / "loaded.json"
    assert load_all.main(tmp_path / "build", answer) == 1
    assert "1 of 3 packages load on macOS 15.2 on arm64" in capsys.readouterr().out
    found = read_result(answer)
    assert (found.system, len(found.answers)) == ("macOS 15.2 on arm64", 3)
    told = {path.stem: found.of(sha256_of(path)) for path in (good, bad, sad)}
    assert [told[n] is not None and told[n].loaded for n in ("good", "bad", "sad")] == [True, False, False]
    assert "interleave" in told["bad"].said
    compiled = {e["path"]: e["compiled"] for e in json.loads(answer.read_text())["artifacts"]}
    assert compiled == {"good/good.mlpackage": True, "bad/bad.mlpackage": False, "sad/sad.mlpackage": True}


def test_the_hash_is_that_of_manifests(tmp_path: Path) -> None:
    path = package(tmp_path, "net.mlpackage")
    assert load_all.content_hash(path) == sha256_of(path)


def test_without_xcode_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(load_all.subprocess, "run", missing)
    with pytest.raises(SystemExit, match="needs a Mac with Xcode"):
        load_all.main(tmp_path, tmp_path / "loaded.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2, "artifacts": []}', '{"schema": 1, "artifacts": [3]}'])
def test_what_is_no_answer_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "loaded.json"
    path.write_text(text)
    with pytest.raises(EdgecError, match="not the result of a device"):
        read_result(path)
    with pytest.raises(EdgecError, match="was not found"):
        read_result(tmp_path / "none.json")


def test_a_manifest_says_never_until_it_is_told() -> None:
    assert DeviceLoaded() == DeviceLoaded("never", "", "", "")
