"""An artifact held against the ledger of its format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgec.artifact.format import format_of
from edgec.ledger.row import Finding, Row, examine


def lint(path: Path, delegates: tuple[str, ...] = ()) -> list[Finding]:
    """What loaders, compilers and runtimes would find wrong; empty where nothing is known to be.

    Of `delegates` (xnnpack, gpu, nnapi, qnn), what keeps operators of a TFLite file off them, too.
    An engine is opaque: its ONNX, which lies beside it, is looked at.
    Raises `EdgecError` E0604 for what cannot be read, E0603 for an engine without its ONNX, E0101 for delegates that
    are not known or of other formats than TFLite.
    """
    rows = rows_for(path, delegates)
    return examine(rows, format_of(path).subject(path)) if rows else []


def lint_built(path: Path) -> list[Finding]:
    """The same for an artifact that is being built, by what it is built for."""
    known = format_of(path)
    rows = known.built_rows()
    return examine(rows, known.subject(path)) if rows else []


def rows_for(path: Path, delegates: tuple[str, ...] = ()) -> tuple[Row[Any], ...]:
    """The ledger of a file's format. Raises `EdgecError` E0604 for another file, E0101 as `lint`."""
    return format_of(path).rows(delegates)
