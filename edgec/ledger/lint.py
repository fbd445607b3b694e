"""An artifact held against the ledger of its format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgec.diag import error
from edgec.ledger.row import Finding, Row, examine


def lint(path: Path, delegates: tuple[str, ...] = ()) -> list[Finding]:
    """What loaders, compilers and runtimes would find wrong; empty where nothing is known to be.

    Of `delegates` (xnnpack, gpu, nnapi, qnn), what keeps operators of a TFLite file off them, too.
    An engine is opaque: its ONNX, which lies beside it, is looked at.
    Raises `EdgecError` E0604 for what cannot be read, E0603 for what no ledger is about, E0101 for delegates that are
    not known or of other formats than TFLite.
    """
    rows = rows_for(path, delegates)
    if path.suffix == ".mlpackage":
        from edgec.ledger.coreml.package import read_package

        return examine(rows, read_package(path))
    if path.suffix == ".tflite":
        from edgec.ledger.tflite.file import read_file

        return examine(rows, read_file(path))
    from edgec.ledger.tensorrt.file import read_onnx

    source = path.with_suffix(".onnx")
    if not source.is_file():
        raise error(
            "E0603", f"`{path.name}` is opaque without the ONNX that it was built from", help=["keep it beside"]
        )
    return examine(rows, read_onnx(source))


def rows_for(path: Path, delegates: tuple[str, ...] = ()) -> tuple[Row[Any], ...]:
    """The ledger of a file's format. Raises `EdgecError` E0603 where there is none, E0101 as `lint`."""
    if delegates and path.suffix != ".tflite":
        raise error("E0101", "delegates are for TFLite files", notes=[f"`{path.name}` is none"])
    if path.suffix == ".mlpackage":
        from edgec.ledger.coreml import ledger as coreml

        return coreml.ROWS
    if path.suffix == ".tflite":
        from edgec.ledger.tflite import ledger as tflite
        from edgec.ledger.tflite.delegated import rows_of

        return (*tflite.ROWS, *rows_of(delegates))
    if path.suffix in (".engine", ".onnx"):
        from edgec.ledger.tensorrt import ledger as tensorrt

        return tensorrt.ROWS
    raise error("E0603", f"there is no ledger for `{path.name}`")
