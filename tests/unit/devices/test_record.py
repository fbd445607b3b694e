"""Measurements as lines of JSON."""

import json
from pathlib import Path

import numpy as np
import pytest

from edgec.devices.facts import State
from edgec.devices.record import Subject, read_records, record
from edgec.diag import EdgecError
from tests.unit.devices.test_measurement import COOL, measured

SUBJECT = Subject("net", "android", "a format", "float16", "ab" * 32, 1234, "litert", 1e-7, float("inf"))


def test_lines_are_added_and_samples_lie_beside(tmp_path: Path) -> None:
    found, _, _ = measured([State(40.0, 80.0, "schedutil", "", "boot")])
    folder = tmp_path / "measurements"
    for when in ("2030-01-02T03:04:05Z", "2030-01-02T03:05:05Z"):
        path = record(folder, SUBJECT, found, when)
    lines = read_records(path)
    assert [line["when"][11:16] for line in lines] == ["03:04", "03:05"]
    one = lines[0]
    assert (one["schema"], one["kind"], one["device"], one["unit"]) == (1, "measured", "board", "cpu")
    assert (one["precision"], one["runtime"], one["artifact"]["sha256"]) == ("float16", "scripted 1.0", "ab" * 32)
    assert (one["p50_ms"], one["stable"], one["accuracy"]["psnr_db"]) == (1.0, True, None)
    assert one["before"]["governor"] == "schedutil"
    assert np.load(folder / one["samples"]).size == one["runs"]


def test_an_address_is_no_path(tmp_path: Path) -> None:
    from dataclasses import replace

    found = replace(measured([COOL])[0], device="ssh://../../pi@board:22")
    path = record(tmp_path / "m", SUBJECT, found, "2030-01-02T03:04:05Z")
    assert path.parent == tmp_path / "m"
    assert {p.parent.parent for p in tmp_path.rglob("*.npy")} == {tmp_path / "m"}


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgecError, match="E0108"):
        record(tmp_path / "file" / "m", SUBJECT, measured([COOL])[0], "2030-01-02T03:04:05Z")


@pytest.mark.parametrize("line", ["{", "[]", '{"schema": 2, "kind": "measured"}', '{"schema": 1, "kind": "predicted"}'])
def test_a_line_that_is_no_measurement_is_told_with_its_number(line: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"schema": 1, "kind": "measured"}) + "\n\n" + line + "\n")
    with pytest.raises(EdgecError) as failure:
        read_records(path)
    assert failure.value.diagnostics[0].place is not None
    assert failure.value.diagnostics[0].place.line == 3
