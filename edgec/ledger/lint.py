"""An artifact held against the ledger of its format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgec.ledger.row import Finding, Row, examine


def lint(path: Path) -> list[Finding]:
    """What loaders, compilers and delegates would find wrong; empty where nothing is known to be.

    Raises `EdgecError` E0604 for what cannot be read, E0603 for a package that is no ML Program.
    """
    if path.suffix == ".mlpackage":
        from edgec.ledger.coreml.package import read_package

        return examine(rows_for(path), read_package(path))
    if path.suffix == ".tflite":
        from edgec.ledger.tflite.file import read_file

        return examine(rows_for(path), read_file(path))
    return []


def rows_for(path: Path) -> tuple[Row[Any], ...]:
    """The ledger of a file's format; empty where there is none."""
    if path.suffix == ".mlpackage":
        from edgec.ledger.coreml.ledger import ROWS

        return ROWS
    if path.suffix == ".tflite":
        from edgec.ledger.tflite import ledger

        return ledger.ROWS
    return ()
