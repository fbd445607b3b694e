"""Records the files that a build reads, for manifests and depfiles; code that opens a user's file notes it here."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

KINDS = (
    "source",
    "module",
    "data",
    "weights",
    "samples",
    "extension",
    "project",
    "target",
    "device",
    "labels",
)
"""Kinds of files: `module` is Python code imported by the source, `data` is opened by the source's code or file."""


@dataclass(frozen=True)
class Read:
    """A file at the time of reading; `path` is as written by the user, or by the file that refers to it."""

    kind: str
    path: Path
    sha256: str


@dataclass
class Reads:
    """The files that were read, in order and without duplicates."""

    found: dict[Path, Read] = field(default_factory=dict)

    def of(self, kinds: Iterable[str]) -> list[Read]:
        """Those of the given kinds."""
        wanted = set(kinds)
        return [read for read in self.found.values() if read.kind in wanted]


_active: ContextVar[tuple[Reads, ...]] = ContextVar("reads", default=())


@contextmanager
def recorded() -> Iterator[Reads]:
    """While active, files that are read are recorded; in nested blocks, in all of them."""
    own = Reads()
    token = _active.set((*_active.get(), own))
    try:
        yield own
    finally:
        _active.reset(token)


def note(path: str | Path, kind: str) -> None:
    """Record a file with its SHA-256 before it is read. Does nothing outside of `recorded`, or if there is no file.

    A file keeps the kind under which it was first recorded.
    """
    active = _active.get()
    resolved = Path(path).resolve() if active else Path()
    if not active or all(resolved in reads.found for reads in active) or not resolved.is_file():
        return
    known = next((reads.found[resolved] for reads in active if resolved in reads.found), None)
    read = known or Read(kind, Path(path), file_sha256(resolved))
    for reads in active:
        reads.found.setdefault(resolved, read)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with io.FileIO(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def told(path: Path, root: Path) -> str:
    """A path as written in manifests, independent of the working folder: relative to `root`, or `…/` and the name.

    Files shipped with edgec are below `edgec/`. Relative paths stay relative.
    """
    resolved, folder = path.resolve(), root.resolve()
    if resolved.is_relative_to(folder):
        return resolved.relative_to(folder).as_posix()
    shipped = next((base for base in _SHIPPED if resolved.is_relative_to(base)), None)
    if shipped is not None:
        return f"edgec/{resolved.relative_to(shipped.parent).as_posix()}"
    return f"…/{path.name}" if path.is_absolute() else Path(os.path.relpath(resolved, folder)).as_posix()


def shipped_file(told_path: str) -> Path | None:
    """The file shipped with edgec for a path written by `told`, or None."""
    own = (base.parent / told_path.removeprefix("edgec/") for base in _SHIPPED)
    return next((path for path in own if path.is_file()), None) if told_path.startswith("edgec/") else None


_PACKAGE = Path(__file__).resolve().parent.parent
_SHIPPED = tuple(
    root / kind for root in (_PACKAGE / "_data", _PACKAGE.parent) for kind in ("targets", "device_profiles")
)
"""In the wheel, and in a checkout."""
