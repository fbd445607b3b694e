"""The folder structure of an `.mlpackage`: the model's file and its weight files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgec.diag import Place, error
from edgec.diag.diagnostic import EdgecError

MODEL_PATH_PREFIX = "@model_path"


@dataclass(frozen=True)
class Package:
    """A package on disk: its root, and the file of its root model."""

    root: Path
    model: Path

    def resolve(self, name: str) -> Path:
        """The file for a program's `@model_path/…`, relative to the model's file. Raises E0604 outside the package."""
        relative = name.removeprefix(MODEL_PATH_PREFIX).lstrip("/") if name.startswith(MODEL_PATH_PREFIX) else name
        path = _confined(self.root, self.model.parent / relative, name)
        if not path.is_file():
            raise malformed(self.root, f"the weight file `{name}` is missing")
        return path


def open_package(path: Path) -> Package:
    """Read `Manifest.json`. Raises E0604 if it is missing, malformed, or points outside the package."""
    manifest = path / "Manifest.json"
    if not manifest.is_file():
        raise malformed(path, "there is no Manifest.json")
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        entry = content["itemInfoEntries"][content["rootModelIdentifier"]]
        relative = entry["path"]
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise malformed(path, f"Manifest.json is not a package manifest ({type(cause).__name__}: {cause})") from cause
    if not isinstance(relative, str):
        raise malformed(path, "the root model's path in Manifest.json is not text")
    model = _confined(path, path / "Data" / relative, relative)
    if not model.is_file():
        raise malformed(path, f"the model file `Data/{relative}` is missing")
    return Package(path.resolve(), model)


def malformed(path: Path, reason: str) -> EdgecError:
    """The error for a package that cannot be read."""
    return error("E0604", f"`{path.name}` is not a readable Core ML package: {reason}", place=Place(file=str(path)))


def _confined(root: Path, path: Path, name: str) -> Path:
    base, target = root.resolve(), path.resolve()
    if not target.is_relative_to(base):
        raise malformed(root, f"the path `{name}` leads outside the package")
    return target
