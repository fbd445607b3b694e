"""The options of an ONNX Runtime target."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.ir.model import OPSET
from edgec.spec.reader import Checker, Table

FORMS = ("onnx", "ort")
"""ONNX, or ONNX Runtime's own format."""

LOWEST_OPSET = 17
"""Lower opsets have no LayerNormalization (17), and onnx's version converter supports fewer downgrades."""


@dataclass(frozen=True)
class OnnxRuntimeOptions:
    """`format`: the file format, one of `FORMS`. `opset`: the newest that the app's runtime reads."""

    format: str = "onnx"
    opset: int = OPSET


def onnxruntime_options(c: Checker, table: Table) -> OnnxRuntimeOptions:
    """Read and check `[options]`."""
    c.known(table, ("format", "opset"), "options.")
    opset = c.integer(table, "opset", OPSET)
    if not LOWEST_OPSET <= opset <= OPSET:
        c.problem(f"`opset` is {opset}", "opset", f"from {LOWEST_OPSET} to {OPSET}")
    return OnnxRuntimeOptions(c.choice(table, "format", FORMS, "onnx"), opset)
