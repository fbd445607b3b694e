"""The results of loading artifacts on a device, as written by `runners/apple/load_all.py`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgec.diag import Place, error
from edgec.diag.foreign import said

SCHEMA = 1


@dataclass(frozen=True)
class Answer:
    """One artifact, identified by content: whether the device's system loaded it, and its message if not."""

    sha256: str
    loaded: bool
    said: str


@dataclass(frozen=True)
class DeviceResult:
    """The answers of one system, and their date (YYYY-MM-DD)."""

    system: str
    when: str
    answers: tuple[Answer, ...]

    def of(self, sha256: str) -> Answer | None:
        """The answer about an artifact, or None."""
        return next((answer for answer in self.answers if answer.sha256 == sha256), None)


def read_result(path: Path) -> DeviceResult:
    """Read a result. Raises `EdgecError` E0102 for a missing file, E0604 for an invalid one."""
    if not path.is_file():
        raise error("E0102", f"`{path}` was not found")
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is {document['schema']}, this version of edgec reads {SCHEMA}")
        answers = tuple(Answer(str(a["sha256"]), a["loaded"] is True, str(a["said"])) for a in document["artifacts"])
        return DeviceResult(str(document["system"]), str(document["when"]), answers)
    except (OSError, ValueError, KeyError, TypeError) as failure:
        why = f"it has no {failure}" if isinstance(failure, KeyError) else said("the reader", failure)
        raise error(
            "E0604",
            f"`{path}` is not the result of a device",
            place=Place(str(path)),
            notes=[why],
            help=["`load_all.py` writes the result on a Mac (`edgec explain what-a-device-demands`)"],
        ) from failure
