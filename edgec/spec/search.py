"""The search path of targets and device profiles: the current folder, `$EDGEC_PATH`, then those shipped with edgec."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def folders(kind: str) -> list[Path]:
    """The folders to search for `kind` (`targets` or `device_profiles`); the first match wins."""
    roots = [Path.cwd(), *(Path(p) for p in os.environ.get("EDGEC_PATH", "").split(os.pathsep) if p)]
    return [*(root / kind for root in roots), _shipped(kind)]


def find(kind: str, name: str) -> Path | None:
    """The TOML file with that name, or None. Names with path separators are never found."""
    if Path(name).name != name:
        return None
    candidates = (folder / f"{name}.toml" for folder in folders(kind))
    return next((path for path in candidates if path.is_file()), None)


def names(kind: str) -> list[str]:
    """All names that `find` finds, sorted."""
    return sorted({path.stem for folder in folders(kind) if folder.is_dir() for path in folder.glob("*.toml")})


def _shipped(kind: str) -> Path:
    """Package data in the wheel, top-level folders in a checkout."""
    packaged = _PACKAGE / "_data" / kind
    return packaged if packaged.is_dir() else _PACKAGE.parent / kind
