"""All rows of the ledger for Core ML packages."""

from __future__ import annotations

from edgec.ledger.coreml import blobs, flexible, interface, names, opsets, structure, values
from edgec.ledger.coreml.package import Package
from edgec.ledger.row import Row

ROWS: tuple[Row[Package], ...] = (
    *names.ROWS,
    *opsets.ROWS,
    *structure.ROWS,
    *values.ROWS,
    *interface.ROWS,
    *flexible.ROWS,
    *blobs.ROWS,
)
