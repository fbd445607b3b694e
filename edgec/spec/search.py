"""Where targets and device profiles are found: the current folder, `$EDGEC_PATH`, then those that ship with edgec."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def folders(kind: str) -> list[Path]:
    """The folders to search for `kind` (`targets` or `device_profiles`), first match wins."""
    roots = [Path.cwd(), *(Path(p) for p in os.environ.get("EDGEC_PATH", "").split(os.pathsep) if p)]
    return [*(root / kind for root in roots), _shipped(kind)]


def find(kind: str, name: str) -> Path | None:
    """The TOML file of that name, or None. A name is no path: it never leaves the folders."""
    if Path(name).name != name:
        return None
    candidates = (folder / f"{name}.toml" for folder in folders(kind))
    return next((path for path in candidates if path.is_file()), None)


def names(kind: str) -> list[str]:
    """Every name that `find` knows, sorted."""
    return sorted({path.stem for folder in folders(kind) if folder.is_dir() for path in folder.glob("*.toml")})


def _shipped(kind: str) -> Path:
    """Inside the wheel the files are package data; in a checkout they are top-level folders."""
    packaged = _PACKAGE / "_data" / kind
    return packaged if packaged.is_dir() else _PACKAGE.parent / kind
