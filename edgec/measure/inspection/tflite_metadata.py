"""TFLite's metadata as text: what the model is, how its inputs are normalized, its label files.

Schema: tensorflow/tflite-support, metadata_schema.fbs 1.1.0. Numbers are positions of fields in its tables.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TFLITE_METADATA = "TFLITE_METADATA"
"""The metadata entry that holds a `ModelMetadata` flatbuffer."""

_MODEL = {"name": 0, "model description": 1, "version": 2, "author": 4, "license": 5}
_COLOR_SPACES = ("unknown", "rgb", "grayscale")
_IMAGE_PROPERTIES, _NORMALIZATION_OPTIONS = 2, 1


@dataclass(frozen=True)
class TensorNote:
    """What the metadata says of an input or output: how an image becomes its values, and the labels of its scores.

    `image` is `rgb`, `grayscale`, `unknown` or empty. The model is given (pixel - mean) / std, for one number of each
    or one for each channel; both are empty where nothing is said.
    """

    name: str
    description: str = ""
    image: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    label_file: str = ""
    labels: tuple[str, ...] | None = None

    def pixels(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Scale and bias: (pixel - mean) / std is pixel * scale + bias."""
        if not self.mean or not all(self.std):
            return (1.0,), (0.0,)
        count = max(len(self.mean), len(self.std))
        means, stds = (values * count if len(values) == 1 else values for values in (self.mean, self.std))
        return tuple(1 / s for s in stds), tuple(-m / s for m, s in zip(means, stds, strict=True))

    def text(self) -> str:
        """In words."""
        mean, std = (", ".join(f"{v:g}" for v in values) for values in (self.mean, self.std))
        count = "which is missing" if self.labels is None else f"{len(self.labels)} lines"
        parts = [
            self.description,
            f"{'RGB' if self.image == 'rgb' else self.image} image" if self.image else "",
            f"normalized: (x - [{mean}]) / [{std}]" if self.mean else "",
            f"labels: {self.label_file}, {count}" if self.label_file else "",
        ]
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True)
class ModelNotes:
    """What a file's metadata says: of the model by subject, and of its inputs and outputs in their order."""

    model: dict[str, str] = field(default_factory=dict)
    inputs: tuple[TensorNote, ...] = ()
    outputs: tuple[TensorNote, ...] = ()


def model_notes(packed: bytes, content: bytes) -> ModelNotes:
    """Read `ModelMetadata`, and the label files that it names, from the ZIP at the end of the model's file."""
    from flatbuffers import encode, number_types
    from flatbuffers.table import Table

    model = _Table(Table(packed, encode.Get(number_types.UOffsetTFlags.packer_type, packed, 0)))
    about = {subject: text for subject, slot in _MODEL.items() if (text := model.text(slot))}
    files = _files(content)
    graphs = model.tables(3)
    if not graphs:
        return ModelNotes(about)
    inputs, outputs = (tuple(_note(tensor, files) for tensor in graphs[0].tables(slot)) for slot in (2, 3))
    return ModelNotes(about, inputs, outputs)


def _files(content: bytes) -> dict[str, tuple[str, ...]]:
    """The lines of each file in the archive behind the model."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            return {name: tuple(archive.read(name).decode(errors="replace").splitlines()) for name in names}
    except zipfile.BadZipFile:
        return {}


def _note(tensor: _Table, files: Mapping[str, tuple[str, ...]]) -> TensorNote:
    content = tensor.table(3)
    image, mean, std = "", tuple[float, ...](), tuple[float, ...]()
    if content is not None and content.byte(0) == _IMAGE_PROPERTIES:
        properties = content.table(1)
        image = _COLOR_SPACES[properties.byte(0) if properties else 0]
    for unit in tensor.tables(4):
        options = unit.table(1)
        if unit.byte(0) == _NORMALIZATION_OPTIONS and options is not None:
            mean, std = tuple(options.floats(0)), tuple(options.floats(1))
    name = next((file.text(0) for file in tensor.tables(6)), "")
    return TensorNote(tensor.text(0), tensor.text(1), image, mean, std, name, files.get(name))


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
