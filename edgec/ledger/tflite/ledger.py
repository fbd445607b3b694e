"""All rows of the ledger for TFLite files."""

from __future__ import annotations

from edgec.ledger.row import Row
from edgec.ledger.tflite import kernels, metadata, operators, quantized, structure
from edgec.ledger.tflite.file import TFLiteFile

ROWS: tuple[Row[TFLiteFile], ...] = (
    *structure.ROWS,
    *operators.ROWS,
    *kernels.ROWS,
    *quantized.ROWS,
    *metadata.ROWS,
)
