"""Zip archives that others wrote."""

from __future__ import annotations

import zipfile
import zlib

BROKEN = (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, EOFError, zlib.error)
"""What `zipfile` raises on archives that are cut, encrypted, packed unknowingly, or named in no encoding."""
