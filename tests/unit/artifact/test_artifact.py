"""Outputs appear complete or not at all; manifests are read back as they were written."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgec.artifact.files import atomic_folder, sha256_of, size_of
from edgec.artifact.manifest import (
    Accuracy,
    ArtifactFile,
    GraphInfo,
    Latency,
    Manifest,
    Rewrite,
    SourceInfo,
    TensorInfo,
    read_manifest,
)
from edgec.diag import EdgecError

MANIFEST = Manifest(
    name="m",
    target="android",
    format="tflite",
    artifact=ArtifactFile("m.tflite", "00", 3),
    source=SourceInfo("python", "m.py:m", "11"),
    inputs=(TensorInfo("x", (1, 3, "n"), "float32"),),
    outputs=(),
    graph=GraphInfo({"ADD": 1}, 2, 3),
    rewrites=(Rewrite("r", 1),),
    accuracy=Accuracy("passed", "litert", 2, 0.0, 0.0, 1.0, float("inf")),
    latency=(Latency("pixel-8", "predicted", 1.0, 0.5, 2.0, "roofline"),),
    tools={"edgec": "0"},
)


def interrupted_write(place: Path) -> None:
    with atomic_folder(place) as scratch:
        (scratch / "a").write_text("new")
        raise KeyboardInterrupt


def test_a_failure_leaves_the_earlier_folder_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "out" / "m"
    with atomic_folder(place) as scratch:
        (scratch / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        interrupted_write(place)
    assert (place / "a").read_text() == "old"
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["m"]


def test_success_replaces_the_whole_folder(tmp_path: Path) -> None:
    place = tmp_path / "m"
    for name in ("a", "b"):
        with atomic_folder(place) as scratch:
            (scratch / name).write_text(name)
    assert [p.name for p in place.iterdir()] == ["b"]
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_file_in_the_way_is_a_diagnostic(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgecError) as caught, atomic_folder(tmp_path / "file" / "m"):
        pass
    assert caught.value.diagnostics[0].code == "E0108"


def test_folder_hash_depends_on_names_and_bytes(tmp_path: Path) -> None:
    for name, content in (("one", "x"), ("two", "x"), ("three", "y")):
        (tmp_path / name).mkdir()
        (tmp_path / name / ("b" if name == "two" else "a")).write_text(content)
    hashes = {sha256_of(tmp_path / name) for name in ("one", "two", "three")}
    assert len(hashes) == 3
    assert size_of(tmp_path / "one") == 1


def test_manifest_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(MANIFEST.to_json())
    assert read_manifest(path) == replace(MANIFEST, accuracy=replace(MANIFEST.accuracy, psnr_db=None))


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 2}', "[1"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(EdgecError) as caught:
        read_manifest(path)
    assert caught.value.diagnostics[0].code == "E0604"
