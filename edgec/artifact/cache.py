"""The user's cache folder, for things that are downloaded or built once and can be recreated."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from edgec.artifact.files import atomic_folder

VARIABLE = "EDGEC_CACHE"
"""The environment variable that selects another folder."""


def cache_folder() -> Path:
    """`$EDGEC_CACHE`, or `edgec` in `$XDG_CACHE_HOME` or `~/.cache` (XDG Base Directory Specification)."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edgec"


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """A folder of the cache, created by `make` on first use. It appears complete or not at all.

    `make` fills a folder that is renamed afterwards, so its content must not contain the folder's own path.
    """
    folder = cache_folder() / name
    if not folder.is_dir():
        with atomic_folder(folder) as scratch:
            make(scratch)
    return folder
