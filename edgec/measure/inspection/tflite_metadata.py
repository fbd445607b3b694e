"""TFLite's metadata as text: what the model is, how its inputs are normalized, its label files.

Schema: tensorflow/tflite-support, metadata_schema.fbs 1.1.0. Numbers are positions of fields in its tables.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

TFLITE_METADATA = "TFLITE_METADATA"
"""The metadata entry that holds a `ModelMetadata` flatbuffer."""

_MODEL = {"name": 0, "model description": 1, "version": 2, "author": 4, "license": 5}
_COLOR_SPACES = ("unknown", "RGB", "grayscale")
_IMAGE_PROPERTIES, _NORMALIZATION_OPTIONS = 2, 1


def describe(packed: bytes, content: bytes) -> dict[str, str]:
    """The content of `ModelMetadata` and of the ZIP archive at the end of the model's file, by subject."""
    from flatbuffers import encode, number_types
    from flatbuffers.table import Table

    model = _Table(Table(packed, encode.Get(number_types.UOffsetTFlags.packer_type, packed, 0)))
    found = {subject: text for subject, slot in _MODEL.items() if (text := model.text(slot))}
    files = _files(content)
    for graph in model.tables(3)[:1]:
        for kind, slot in (("input", 2), ("output", 3)):
            for tensor in graph.tables(slot):
                text = _tensor(tensor, files)
                if text:
                    found[f"{kind} {tensor.text(0)}"] = text
    return found


def _files(content: bytes) -> dict[str, int]:
    """The number of lines of each file in the archive behind the model."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: len(archive.read(name).splitlines()) for name in archive.namelist()}
    except zipfile.BadZipFile:
        return {}


def _tensor(tensor: _Table, files: dict[str, int]) -> str:
    parts = [tensor.text(1)]
    content = tensor.table(3)
    if content is not None and content.byte(0) == _IMAGE_PROPERTIES:
        image = content.table(1)
        parts.append(f"{_COLOR_SPACES[image.byte(0) if image else 0]} image")
    for unit in tensor.tables(4):
        options = unit.table(1)
        if unit.byte(0) == _NORMALIZATION_OPTIONS and options is not None:
            mean, std = (", ".join(f"{v:g}" for v in options.floats(slot)) for slot in (0, 1))
            parts.append(f"normalized: (x - [{mean}]) / [{std}]")
    for file in tensor.tables(6):
        name = file.text(0)
        parts.append(f"labels: {name} ({files[name]} lines)" if name in files else f"labels: {name}, which is missing")
    return "; ".join(part for part in parts if part)


class _Table:
    """A flatbuffer table, accessed by field numbers."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def _at(self, slot: int) -> int:
        """The position of a field in the buffer; 0 if it is absent."""
        offset = int(self._table.Offset(4 + 2 * slot))
        return offset + int(self._table.Pos) if offset else 0

    def text(self, slot: int) -> str:
        """A string; empty if absent."""
        at = self._at(slot)
        return self._table.String(at).decode(errors="replace") if at else ""

    def byte(self, slot: int) -> int:
        """A one-byte number; 0 if absent."""
        at = self._at(slot)
        return int(self._table.Bytes[at]) if at else 0

    def table(self, slot: int) -> _Table | None:
        """A table, or None."""
        at = self._at(slot)
        return self._child(int(self._table.Indirect(at))) if at else None

    def tables(self, slot: int) -> list[_Table]:
        """A vector of tables."""
        if not self._at(slot):
            return []
        offset = self._at(slot) - self._table.Pos
        start, count = int(self._table.Vector(offset)), int(self._table.VectorLen(offset))
        return [self._child(int(self._table.Indirect(start + 4 * i))) for i in range(count)]

    def floats(self, slot: int) -> list[float]:
        """A vector of float32."""
        from flatbuffers import number_types

        if not self._at(slot):
            return []
        offset = self._at(slot) - self._table.Pos
        start, count = int(self._table.Vector(offset)), int(self._table.VectorLen(offset))
        return [float(self._table.Get(number_types.Float32Flags, start + 4 * i)) for i in range(count)]

    def _child(self, position: int) -> _Table:
        from flatbuffers.table import Table

        return _Table(Table(self._table.Bytes, position))
