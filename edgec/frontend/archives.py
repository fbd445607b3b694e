"""Zip archives that come from outside edgec."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

BROKEN = (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, EOFError, zlib.error)
"""What `zipfile` raises on archives that are truncated, encrypted, wrongly encoded or of an unknown compression."""


def is_archive(path: Path) -> bool:
    """Whether the file is a zip archive, intact or damaged."""
    try:
        return zipfile.is_zipfile(path)
    except BROKEN:
        return True
