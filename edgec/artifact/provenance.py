"""The provenance of an artifact: the command, and all files that the build read, with their hashes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FileInfo:
    """A file that a build read. `path` is relative to the folder of the request; `…/NAME` for files elsewhere.

    `edgec/…` ships with edgec. `kind` is one of `edgec.spec.reads.KINDS`.
    """

    kind: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Provenance:
    """The request for an artifact, without times and absolute paths, so that equal requests give equal provenance.

    `command` builds this artifact again, in the folder of the request; it is empty for a model in memory. `options`
    are those of the source that a later comparison needs. `root` is the path from the manifest to the folder of the
    request, if the artifact is inside it.
    """

    command: tuple[str, ...] = ()
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)
    root: str | None = None
    files: tuple[FileInfo, ...] = ()


def load_provenance(table: Mapping[str, Any]) -> Provenance:
    """Read the table of a manifest. Raises KeyError or TypeError for an invalid one."""
    options = {name: tuple(texts) for name, texts in table.get("options", {}).items()}
    files = tuple(FileInfo(f["kind"], f["path"], f["sha256"]) for f in table.get("files", ()))
    return Provenance(tuple(table.get("command", ())), options, table.get("root"), files)
