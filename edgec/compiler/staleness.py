"""Whether the files from which an artifact was built have changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgec.artifact.locate import Located
from edgec.artifact.provenance import FileInfo, Provenance
from edgec.diag import Diagnostic, warning
from edgec.spec.reads import Read, file_sha256, shipped_file

_NAMED = 5
"""The largest number of files listed in a message."""


@dataclass(frozen=True)
class Compared:
    """The files of a build by their present state; `absent` are those that cannot be found from here."""

    same: tuple[FileInfo, ...] = ()
    changed: tuple[FileInfo, ...] = ()
    absent: tuple[FileInfo, ...] = ()

    @property
    def said(self) -> str:
        """The result as text."""
        if self.changed:
            return f"changed since the build: {_listed(self.changed)}"
        if not self.same:
            return "not compared: the files of the build are not here"
        missing = f"; {len(self.absent)} are not here: {_listed(self.absent)}" if self.absent else ""
        return f"as it was at the build: {len(self.same)} files{missing}"

    def warnings(self, artifact: str) -> list[Diagnostic]:
        """A warning if the source changed."""
        if not self.changed:
            return []
        message = f"the source of `{artifact}` changed since the build"
        notes = [f"`{file.path}` ({file.kind})" for file in self.changed[:_NAMED]]
        notes += [f"and {len(self.changed) - _NAMED} more"] if len(self.changed) > _NAMED else []
        return [warning("E0615", message, notes=notes, help=["build it again, or restore the files"])]


def compared(found: Located, read: Iterable[Read] = ()) -> Compared | None:
    """Compare the files of a build with the present ones, and with those that were `read` for a comparison.

    None if the manifest does not list any.
    """
    known = found.manifest.provenance if found.manifest else Provenance()
    if not known.files:
        return None
    root = found.path.parent / known.root if known.root is not None else Path()
    others = {(r.kind, r.path.name): r.sha256 for r in read}
    same: list[FileInfo] = []
    changed: list[FileInfo] = []
    absent: list[FileInfo] = []
    for file in known.files:
        own = None if file.path.startswith("…/") else shipped_file(file.path) or root / file.path
        now = file_sha256(own) if own is not None and own.is_file() else None
        now = now or others.get((file.kind, Path(file.path).name))
        (absent if now is None else same if now == file.sha256 else changed).append(file)
    if changed and not same and known.root is None:  # another folder with files of the same names by chance
        return Compared(absent=known.files)
    return Compared(tuple(same), tuple(changed), tuple(absent))


def _listed(files: Iterable[FileInfo]) -> str:
    names = [file.path for file in files]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
