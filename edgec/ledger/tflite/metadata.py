"""Rows about metadata, for its readers: the runtime, TFLite's metadata library, MediaPipe's tasks."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from typing import Any

from edgec.diag import Severity
from edgec.ledger.row import Breach, Row
from edgec.ledger.tflite.file import TFLiteFile, listed, text

_ENTRY = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_SCHEMA = "tensorflow/tflite-support, metadata_schema.fbs"
_NORMALIZATION = 1


class _Table:
    """A flatbuffer table, read by field numbers: no package that edgec depends on has the schema's classes."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data, self.place = data, place
        self._vtable = place - struct.unpack_from("<i", data, place)[0]

    def _at(self, field: int) -> int:
        size = struct.unpack_from("<H", self.data, self._vtable)[0]
        slot = 4 + 2 * field
        offset = struct.unpack_from("<H", self.data, self._vtable + slot)[0] if slot < size else 0
        return self.place + offset if offset else 0

    def _to(self, at: int) -> int:
        return int(at + struct.unpack_from("<I", self.data, at)[0])

    def byte(self, field: int) -> int:
        """A one-byte number; 0 if it is absent."""
        at = self._at(field)
        return self.data[at] if at else 0

    def table(self, field: int) -> _Table | None:
        """A table; None if it is absent."""
        at = self._at(field)
        return _Table(self.data, self._to(at)) if at else None

    def tables(self, field: int) -> list[_Table]:
        """A vector of tables."""
        at = self._at(field)
        if not at:
            return []
        start = self._to(at)
        places = (start + 4 + 4 * i for i in range(struct.unpack_from("<I", self.data, start)[0]))
        return [_Table(self.data, self._to(place)) for place in places]

    def floats(self, field: int) -> list[float]:
        """A vector of float32."""
        at = self._at(field)
        if not at:
            return []
        start = self._to(at)
        count = struct.unpack_from("<I", self.data, start)[0]
        return list(struct.unpack_from(f"<{count}f", self.data, start + 4))

    def text(self, field: int) -> str:
        """A string."""
        at = self._at(field)
        if not at:
            return ""
        start = self._to(at)
        count = struct.unpack_from("<I", self.data, start)[0]
        return self.data[start + 4 : start + 4 + count].decode(errors="replace")


def _root(file: TFLiteFile) -> _Table | None:
    """`ModelMetadata`; None if the file has none, or it is unreadable."""
    content = file.metadata(_ENTRY)
    if content is None or content[4:8] != _IDENTIFIER:
        return None
    return _Table(content, struct.unpack_from("<I", content, 0)[0])


def _features(file: TFLiteFile) -> Iterator[tuple[str, _Table, Any]]:
    """Each described input and output with its tensor: subgraph_metadata's fields 2 and 3."""
    root = _root(file)
    graphs = root.tables(3) if root is not None else []
    for described, graph in zip(graphs, file.graphs, strict=False):
        for kind, field, indices in (("input", 2, graph.inputs), ("output", 3, graph.outputs)):
            tensors = [graph.tensors[i] for i in listed(indices) if 0 <= i < len(graph.tensors)]
            for table, tensor in zip(described.tables(field), tensors, strict=False):
                yield f"{kind} `{text(tensor.name)[:80]}`", table, tensor


def _entries(file: TFLiteFile) -> Iterator[Breach]:
    count = len(file.model.buffers or ())
    for entry in file.model.metadata or ():
        if not 0 <= entry.buffer < count:
            yield Breach(f"metadata `{text(entry.name)[:80]}`", f"buffer {entry.buffer} of {count}")


def _identifier(file: TFLiteFile) -> Iterator[Breach]:
    content = file.metadata(_ENTRY)
    if content is not None and content[4:8] != _IDENTIFIER:
        yield Breach(_ENTRY, f"its identifier is {content[4:8]!r}")


def _counts(file: TFLiteFile) -> Iterator[Breach]:
    root = _root(file)
    graphs = root.tables(3) if root is not None else []
    for described, graph in zip(graphs, file.graphs, strict=False):
        for kind, field, indices in (("inputs", 2, graph.inputs), ("outputs", 3, graph.outputs)):
            tables = described.tables(field)
            if tables and len(tables) != len(listed(indices)):
                yield Breach(_ENTRY, f"{len(tables)} {kind} are described, the file has {len(listed(indices))}")


def _normalizations(table: _Table) -> Iterator[tuple[list[float], list[float]]]:
    """Means and standard deviations of an input's process units."""
    for unit in table.tables(4):
        options = unit.table(1)
        if unit.byte(0) == _NORMALIZATION and options is not None:
            yield options.floats(0), options.floats(1)


def _normalization(file: TFLiteFile) -> Iterator[Breach]:
    for where, table, tensor in _features(file):
        for means, deviations in _normalizations(table):
            channels = (listed(tensor.shape) or [1])[-1]
            if len(means) != len(deviations) or 0.0 in deviations or len(means) not in (1, channels):
                yield Breach(where, f"mean {means}, std {deviations} for {channels} channels")


def _by_channel(file: TFLiteFile) -> Iterator[Breach]:
    for where, table, _ in _features(file):
        for means, deviations in _normalizations(table):
            if len(set(means)) > 1 or len(set(deviations)) > 1:
                yield Breach(where, f"mean {[round(m, 3) for m in means]}, std {[round(s, 3) for s in deviations]}")


def _files(file: TFLiteFile) -> Iterator[Breach]:
    """Associated files of a feature must be in the ZIP archive appended to the model."""
    named = [(where, entry.text(0)) for where, table, _ in _features(file) for entry in table.tables(6)]
    if not named:
        return
    try:
        with zipfile.ZipFile(file.path) as archive:
            held = set(archive.namelist())
    except zipfile.BadZipFile:
        held = set()
    yield from (
        Breach(where, f"`{name[:80]}` is not packed with the model") for where, name in named if name not in held
    )


ROWS: tuple[Row[TFLiteFile], ...] = (
    Row(
        "metadata-buffer",
        "a metadata entry's buffer exists",
        "the runtime",
        "LiteRT, tflite/core/interpreter_builder.cc, ReadAllMetadata",
        _entries,
    ),
    Row(
        "metadata-identifier",
        f"TFLite's metadata begins as {_IDENTIFIER.decode()}",
        "TFLite's metadata library",
        f"{_SCHEMA}, file_identifier",
        _identifier,
    ),
    Row(
        "metadata-counts",
        "the metadata describe as many inputs and outputs as there are",
        "MediaPipe and the Task library",
        f"{_SCHEMA}, SubGraphMetadata",
        _counts,
    ),
    Row(
        "metadata-normalization",
        "a normalization has a mean and a nonzero deviation, for all channels or for each",
        "MediaPipe and the Task library",
        f"{_SCHEMA}, NormalizationOptions; `std_values can't be 0`",
        _normalization,
    ),
    Row(
        "metadata-files",
        "files that the metadata names are packed with the model",
        "MediaPipe and the Task library",
        f"{_SCHEMA}, AssociatedFile",
        _files,
    ),
    Row(
        "metadata-one-normalization",
        "all channels of an image have one normalization",
        "MediaPipe's tasks",
        "mediapipe, tasks/cc/components/processors/image_preprocessing_graph.cc: "
        "Per-channel image normalization is not available",
        _by_channel,
        "mediapipe 1.2.3",
        Severity.WARNING,
    ),
)
