"""What a device answered of artifacts, as `runners/apple/load_all.py` writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgec.diag import Place, error

SCHEMA = 1


@dataclass(frozen=True)
class Answer:
    """One artifact, by its content: whether the system of the device loaded it, and what it said where not."""

    sha256: str
    loaded: bool
    said: str


@dataclass(frozen=True)
class DeviceResult:
    """The answers of one system, and the day on which it gave them (YYYY-MM-DD)."""

    system: str
    when: str
    answers: tuple[Answer, ...]

    def of(self, sha256: str) -> Answer | None:
        """The answer on an artifact."""
        return next((answer for answer in self.answers if answer.sha256 == sha256), None)


def read_result(path: Path) -> DeviceResult:
    """Read an answer. Raises `EdgecError` E0102 for a missing file, E0604 for one that is none."""
    if not path.is_file():
        raise error("E0102", f"`{path}` was not found")
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is {document['schema']}, this version of edgec reads {SCHEMA}")
        answers = tuple(Answer(str(a["sha256"]), a["loaded"] is True, str(a["said"])) for a in document["artifacts"])
        return DeviceResult(str(document["system"]), str(document["when"]), answers)
    except (OSError, ValueError, KeyError, TypeError) as failure:
        raise error(
            "E0604",
            f"`{path}` is not the result of a device",
            place=Place(str(path)),
            notes=[f"{type(failure).__name__}: {failure}"],
            help=["`load_all.py` writes the result on a Mac (docs/what-a-device-demands.md)"],
        ) from failure
