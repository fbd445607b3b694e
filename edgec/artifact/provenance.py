"""Where an artifact comes from: the command, and every file that the build read, with its hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FileInfo:
    """A file that a build read. `path` is relative to the folder of the request, or `…/NAME` for one elsewhere.

    `edgec/…` ships with edgec. `kind` is one of `edgec.spec.reads.KINDS`.
    """

    kind: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Provenance:
    """How an artifact was asked for. It holds no times and no absolute paths: the same request gives the same.

    `command` builds this artifact again, in the folder of the request; it is empty for a model in memory. `options`
    are those of the source that a later comparison needs. `root` leads from the manifest to the folder of the request,
    where the artifact lies below it.
    """

    command: tuple[str, ...] = ()
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)
    root: str | None = None
    files: tuple[FileInfo, ...] = ()


def load_provenance(table: Mapping[str, Any]) -> Provenance:
    """What a manifest says. Raises KeyError or TypeError for what is none."""
    options = {name: tuple(texts) for name, texts in table.get("options", {}).items()}
    files = tuple(FileInfo(f["kind"], f["path"], f["sha256"]) for f in table.get("files", ()))
    return Provenance(tuple(table.get("command", ())), options, table.get("root"), files)
