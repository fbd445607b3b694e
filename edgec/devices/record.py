"""Measurements kept as lines of JSON, one file a device: what predictors are fitted to.

Each line is one object with `schema` 1 and `kind` "measured"; `read_records` reads them back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgec import __version__
from edgec.artifact.system import folder_lock
from edgec.devices.measurement import Measurement
from edgec.diag import Place, error

SCHEMA = 1
FOLDER = Path("measurements")
"""Where `bench --record` writes, below the working folder."""


@dataclass(frozen=True)
class Subject:
    """What was measured: the artifact by its content, its precision (empty: not known) and how it was proven right.

    `reference` names what its outputs on the device were compared with; `max_rel` and `psnr_db` are the worst found.
    """

    name: str
    target: str
    format: str
    precision: str
    sha256: str
    bytes: int
    reference: str
    max_rel: float
    psnr_db: float


def record(folder: Path, subject: Subject, measured: Measurement, when: str) -> Path:
    """Append a line to the device's file, and every single run to a file beside it.

    `when` is a time of day in UTC (ISO 8601). Raises `EdgecError` E0108 where the folder cannot be written; the earlier
    lines are left as they are then.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", measured.device).strip("-")
    lines, samples = folder / f"{name}.jsonl", ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with folder_lock(folder):
            if measured.samples_ms.size:
                stamp = re.sub(r"[^0-9TZ]", "", when)
                side = folder / name / f"{stamp}-{subject.sha256[:12]}-{measured.unit}.npy"
                side.parent.mkdir(exist_ok=True)
                with side.open("xb") as file:
                    np.save(file, measured.samples_ms)
                samples = side.relative_to(folder).as_posix()
            with lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(document(subject, measured, when, samples)) + "\n")
    except OSError as failure:
        raise error("E0108", f"`{folder}` cannot be written: {failure.strerror}") from failure
    return lines


def document(subject: Subject, measured: Measurement, when: str, samples: str) -> dict[str, Any]:
    """The object of one line. `samples` is the side file, relative to the folder; empty where there are none."""
    artifact = {key: getattr(subject, key) for key in ("name", "target", "format", "sha256", "bytes")}
    proof = {"reference": subject.reference, "max_rel": subject.max_rel, "psnr_db": _finite(subject.psnr_db)}
    return {
        "schema": SCHEMA,
        "kind": "measured",
        "when": when,
        "precision": subject.precision,
        "artifact": artifact,
        "accuracy": proof,
        **measured.document(),
        "samples": samples,
        "edgec": __version__,
    }


def read_records(path: Path) -> list[Mapping[str, Any]]:
    """The lines of a file. Raises `EdgecError` E0106 with the line for what is no measurement."""
    found: list[Mapping[str, Any]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
            if one["schema"] != SCHEMA or one["kind"] != "measured":
                raise ValueError(f"schema {one['schema']}, kind {one['kind']}")
        except (ValueError, KeyError, TypeError) as failure:
            place = Place(str(path), number)
            raise error("E0106", "the line is not a measurement", place=place, notes=[str(failure)]) from failure
        found.append(one)
    return found


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
