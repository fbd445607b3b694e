"""TFLite metadata: a separate flatbuffer inside the file, and its associated files in a ZIP archive appended to it.

Schema: tensorflow/tflite-support, metadata_schema.fbs 1.1.0 (`ModelMetadata`, file identifier M001). Field numbers
below are the order of the schema's fields.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Collection, Sequence
from typing import Any

from edgec.backends.tflite.interface import Interface, options_of
from edgec.backends.tflite.options import TensorNote, TFLiteMetadata
from edgec.runners.litert import CHANNELS_LAST
from edgec.spec.target import Target

NAME = "TFLITE_METADATA"
"""The name of the metadata entry with the flatbuffer."""
_IDENTIFIER = b"M001"
_PARSER_VERSION = "1.0.0"
"""The oldest version of the schema that has every field written here."""

_TENSOR_AXIS_LABELS = 2
_IMAGE_PROPERTIES = 2
_NORMALIZATION_OPTIONS = 1
_COLOR_SPACES = {"rgb": 1, "grayscale": 2}
_EPOCH = (1980, 1, 1, 0, 0, 0)


REDUCED_PRECISION = "reduced_precision_support"
"""The metadata entry that permits delegates float16 with float32 accumulation (TFLite's converter writes it too)."""
MINIMUM_RUNTIME = "min_runtime_version"
"""The metadata entry with the oldest runtime for the operators, 16 bytes (TFLite's converter writes it too)."""


def entries(
    interface: Interface, target: Target, runtime: str, turned: Collection[str], name: str
) -> list[tuple[str, bytes]]:
    """The metadata entries of a file.

    `turned` are the inputs and outputs that are channels-last only in the file, `name` is the model's.
    """
    metadata = options_of(target).metadata
    found = [(MINIMUM_RUNTIME, runtime.encode().ljust(16, b"\0"))]
    if target.numerics.compute == "float16":
        found.append((REDUCED_PRECISION, b"fp16accfp32"))
    inputs, outputs = list(interface.inputs), list(interface.outputs)
    last = [n for n in (*inputs, *outputs) if n in turned]
    if last:
        found.append((CHANNELS_LAST, "\n".join(last).encode()))
    if metadata != TFLiteMetadata():
        found.append((NAME, pack(metadata, name, inputs, outputs)))
    return found


def pack(metadata: TFLiteMetadata, name: str, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """`ModelMetadata` of a model with these inputs and outputs, in the subgraph's order."""
    import flatbuffers

    w = _Tables(flatbuffers.Builder(1024))
    notes = {note.name: note for note in metadata.inputs}
    given = [_tensor(w, notes.get(n, TensorNote(n))) for n in inputs]
    notes = {note.name: note for note in metadata.outputs}
    made = [_tensor(w, notes.get(n, TensorNote(n))) for n in outputs]
    graph = w.table(7, {2: w.offsets(given), 3: w.offsets(made)})
    fields = {
        0: w.text(metadata.name or name),
        1: w.text(metadata.description),
        2: w.text(metadata.version),
        3: w.offsets([graph]),
        4: w.text(metadata.author),
        5: w.text(metadata.license),
        7: w.text(_PARSER_VERSION),
    }
    w.builder.Finish(w.table(8, fields), _IDENTIFIER)
    return bytes(w.builder.Output())


def associated_files(metadata: TFLiteMetadata) -> bytes:
    """A ZIP archive of the label files, without time stamps; empty if there are none.

    Readers, like TFLite's metadata library, find it at the end of the model's file.
    """
    labelled = [note for note in metadata.outputs if note.labels]
    if not labelled:
        return b""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, labels in sorted({note.label_file: note.labels for note in labelled}.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), "\n".join(labels) + "\n")
    return buffer.getvalue()


class _Tables:
    """A flatbuffer builder with tables as field numbers and values."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def text(self, value: str) -> int | None:
        """A string; None if it is empty."""
        return int(self.builder.CreateString(value)) if value else None

    def floats(self, values: Sequence[float]) -> int:
        """A vector of float32."""
        return self._vector(4, values, self.builder.PrependFloat32)

    def offsets(self, values: Sequence[int]) -> int:
        """A vector of tables."""
        return self._vector(4, values, self.builder.PrependUOffsetTRelative)

    def _vector(self, size: int, values: Sequence[Any], prepend: Callable[[Any], None]) -> int:
        self.builder.StartVector(size, len(values), size)
        for value in reversed(values):
            prepend(value)
        return int(self.builder.EndVector())

    def table(self, fields: int, offsets: dict[int, int | None], bytes_: dict[int, int] | None = None) -> int:
        """A table of `fields` fields: `offsets` of strings, vectors and tables, and one-byte numbers."""
        self.builder.StartObject(fields)
        for slot, offset in offsets.items():
            if offset is not None:
                self.builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, number in (bytes_ or {}).items():
            self.builder.PrependInt8Slot(slot, number, 0)
        return int(self.builder.EndObject())


def _tensor(w: _Tables, note: TensorNote) -> int:
    """`TensorMetadata`: name, description, content, process units, associated files."""
    content = units = files = None
    if note.color:
        image = w.table(2, {}, {0: _COLOR_SPACES[note.color]})
        content = w.table(3, {1: image}, {0: _IMAGE_PROPERTIES})
    if note.mean or note.std:
        options = w.table(2, {0: w.floats(note.mean), 1: w.floats(note.std)})
        units = w.offsets([w.table(2, {1: options}, {0: _NORMALIZATION_OPTIONS})])
    if note.labels:
        files = w.offsets([w.table(4, {0: w.text(note.label_file)}, {2: _TENSOR_AXIS_LABELS})])
    name, description = w.text(note.name), w.text(note.description)
    return w.table(7, {0: name, 1: description, 3: content, 4: units, 6: files})
