"""Finds an artifact and its manifest from a build's folder, its manifest, or the artifact itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgec.artifact.format import FORMATS
from edgec.artifact.manifest import Manifest, read_manifest
from edgec.diag import error

_SUFFIXES = ", ".join(f".{name}" for name in FORMATS)


@dataclass(frozen=True)
class Located:
    """An artifact on disk, with its manifest if there is one beside it."""

    path: Path
    format: str
    manifest: Manifest | None


def locate(path: Path) -> Located:
    """Find the artifact. Raises `EdgecError` E0102 if there is none, E0604 for an unreadable manifest."""
    if not path.exists():
        raise error("E0102", f"`{path}` was not found")
    if path.name == "manifest.json":
        return _described(path)
    if path.suffix[1:] in FORMATS:
        beside = path.parent / "manifest.json"
        found = read_manifest(beside) if beside.is_file() else None
        own = found if found is not None and found.artifact.path == path.name else None
        return Located(path, path.suffix[1:], own)
    if path.is_dir() and (path / "manifest.json").is_file():
        return _described(path / "manifest.json")
    raise error(
        "E0604",
        f"`{path}` is not an artifact",
        help=[f"name a build's folder, its manifest.json, or a file that ends in {_SUFFIXES}"],
    )


def _described(path: Path) -> Located:
    manifest = read_manifest(path)
    artifact = path.parent / manifest.artifact.path
    if not artifact.exists():
        raise error("E0102", f"the artifact `{artifact}` of the manifest was not found")
    return Located(artifact, manifest.format, manifest)
