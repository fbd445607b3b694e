"""Checks an artifact against the ledger of its format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgec.artifact.format import format_of
from edgec.ledger.row import Finding, Row, examine


def lint(path: Path, delegates: tuple[str, ...] = ()) -> list[Finding]:
    """The requirements of loaders, compilers and runtimes that an artifact violates; empty if none is known.

    With `delegates` (xnnpack, gpu, nnapi, qnn), also what keeps operators of a TFLite file from running on them.
    An engine is opaque: the ONNX file next to it is checked instead.
    Raises `EdgecError` E0604 for an unreadable file, E0603 for an engine without its ONNX, E0101 for unknown
    delegates, or delegates of a format other than TFLite.
    """
    rows = rows_for(path, delegates)
    return examine(rows, format_of(path).subject(path)) if rows else []


def lint_built(path: Path) -> list[Finding]:
    """The same for an artifact of this build, with the rows for what it was built for."""
    known = format_of(path)
    rows = known.built_rows()
    return examine(rows, known.subject(path)) if rows else []


def rows_for(path: Path, delegates: tuple[str, ...] = ()) -> tuple[Row[Any], ...]:
    """The ledger of a file's format. Raises `EdgecError` E0604 for another file, E0101 as `lint`."""
    return format_of(path).rows(delegates)
