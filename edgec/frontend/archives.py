"""Zip archives that others wrote."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

BROKEN = (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, EOFError, zlib.error)
"""What `zipfile` raises on archives that are cut, encrypted, packed unknowingly, or named in no encoding."""


def is_archive(path: Path) -> bool:
    """Whether the file is a zip archive, whole or broken."""
    try:
        return zipfile.is_zipfile(path)
    except BROKEN:
        return True
