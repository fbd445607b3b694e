"""Rows about a package's files and the layout of its weight files."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgec.ledger.coreml.package import TYPE_NAMES, Package
from edgec.ledger.row import Breach, Row
from edgec.runners.mil.package import MODEL_PATH_PREFIX

_FORMAT = "apple/coremltools, mlmodel/src/MILBlob/Blob/StorageFormat.hpp"
_HEADER, _METADATA = struct.Struct("<II56x"), struct.Struct("<IIQQQ32x")
_ALIGNMENT, _VERSION, _SENTINEL = 64, 2, 0xDEADBEEF
_IOS18 = 9
_STORED = {1: "fp16", 2: "fp32", 3: "uint8", 4: "int8", 5: "bf16", 6: "int16", 7: "uint16", 8: "int4", 9: "uint1",
           10: "uint2", 11: "uint4", 12: "uint3", 13: "uint6", 14: "int32", 15: "uint32"}  # fmt: skip
"""`BlobDataType` numbers and MIL's type names."""
_BITS = {"fp16": 16, "fp32": 32, "bf16": 16, "int4": 4, "uint1": 1, "uint2": 2, "uint3": 3, "uint4": 4, "uint6": 6,
         **{f"{sign}int{bits}": bits for sign in ("", "u") for bits in (8, 16, 32)}}  # fmt: skip
_BEFORE_IOS18 = frozenset({"fp16", "fp32", "uint8", "int8"})


@dataclass(frozen=True)
class Blob:
    """A weight that a program refers to, with the metadata at that place of its file, or None if there are none."""

    where: str
    file: Path
    offset: int
    dtype: str
    shape: tuple[int, ...]
    metadata: tuple[int, int, int, int, int] | None
    size: int


def _values(message: Any) -> Iterator[Any]:
    """Every `Value` of an operation."""
    yield from message.attributes.values()
    for argument in message.inputs.values():
        yield from (b.value for b in argument.arguments if b.WhichOneof("binding") == "value")


def _blobs(package: Package) -> Iterator[Blob]:
    """Weights whose file exists."""
    for where, value in _named(package):
        path = _path(package, value.blobFileValue.fileName)
        if path is None or not path.is_file():
            continue
        dimensions = value.type.tensorType.dimensions
        shape = tuple(d.constant.size for d in dimensions)
        dtype = TYPE_NAMES.get(value.type.tensorType.dataType, "?")
        offset, size = value.blobFileValue.offset, path.stat().st_size
        yield Blob(where, path, offset, dtype, shape, _metadata(path, offset), size)


def _named(package: Package) -> Iterator[tuple[str, Any]]:
    for op in package.operations:
        for value in _values(op.message):
            if value.WhichOneof("value") == "blobFileValue":
                yield op.where, value


def _path(package: Package, name: str) -> Path | None:
    """The file that a program calls `@model_path/…`, or None if that leads out of the package."""
    relative = name.removeprefix(MODEL_PATH_PREFIX).lstrip("/")
    path = (package.folder / relative).resolve()
    return path if path.is_relative_to(package.root.resolve()) else None


def _metadata(path: Path, offset: int) -> tuple[int, int, int, int, int] | None:
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(_METADATA.size)
    return _METADATA.unpack(content) if len(content) == _METADATA.size else None


def _files(package: Package) -> Iterator[Breach]:
    for where, value in _named(package):
        name = value.blobFileValue.fileName
        path = _path(package, name)
        if not name.startswith(f"{MODEL_PATH_PREFIX}/"):
            yield Breach(where, f"`{name[:80]}` does not begin with `{MODEL_PATH_PREFIX}/`")
        elif path is None or not path.is_file():
            yield Breach(where, f"`{name[:80]}` is not a file of the package")


def _header(package: Package) -> Iterator[Breach]:
    counted: dict[Path, set[int]] = {}
    for blob in _blobs(package):
        counted.setdefault(blob.file, set()).add(blob.offset)
    for path, offsets in sorted(counted.items()):
        with path.open("rb") as file:
            content = file.read(_HEADER.size)
        if len(content) < _HEADER.size:
            yield Breach(path.name, f"{len(content)} bytes")
            continue
        count, version = _HEADER.unpack(content)
        if version != _VERSION:
            yield Breach(path.name, f"version {version}")
        elif count < len(offsets):
            yield Breach(path.name, f"{count} blobs in the header, {len(offsets)} in the program")


def _aligned(package: Package) -> Iterator[Breach]:
    for blob in _blobs(package):
        start = blob.metadata[3] if blob.metadata else 0
        if blob.offset % _ALIGNMENT or start % _ALIGNMENT:
            yield Breach(blob.where, f"metadata at {blob.offset}, data at {start}")


def _sentinel(package: Package) -> Iterator[Breach]:
    for blob in _blobs(package):
        if blob.metadata is None or blob.metadata[0] != _SENTINEL:
            yield Breach(blob.where, f"no blob at {blob.offset}")


def _known(package: Package) -> Iterator[Blob]:
    return (b for b in _blobs(package) if b.metadata is not None and b.metadata[0] == _SENTINEL)


def _same_type(package: Package) -> Iterator[Breach]:
    for blob in _known(package):
        assert blob.metadata is not None
        stored = _STORED.get(blob.metadata[1], f"type {blob.metadata[1]}")
        if stored != blob.dtype:
            yield Breach(blob.where, f"{stored} in the file, {blob.dtype} in the program")


def _same_size(package: Package) -> Iterator[Breach]:
    for blob in _known(package):
        assert blob.metadata is not None
        _, _, size, start, _ = blob.metadata
        count = 1
        for dimension in blob.shape:
            count *= dimension
        wanted = -(-count * _BITS.get(blob.dtype, 0) // 8)
        if blob.dtype in _BITS and (size != wanted or start + size > blob.size):
            yield Breach(blob.where, f"{size} bytes at {start}, {list(blob.shape)} of {blob.dtype} are {wanted}")


def _stored_types(package: Package) -> Iterator[Breach]:
    for blob in _blobs(package):
        if package.version < _IOS18 and blob.dtype not in _BEFORE_IOS18:
            yield Breach(blob.where, blob.dtype)


def _manifest(package: Package) -> Iterator[Breach]:
    """Every file of the package is listed in Manifest.json, and every entry exists."""
    entries = json.loads((package.root / "Manifest.json").read_text(encoding="utf-8"))["itemInfoEntries"]
    paths = [str(entry.get("path", "")) for entry in entries.values() if isinstance(entry, dict)]
    yield from (
        Breach("Manifest.json", f"`{p[:80]}` is not there") for p in paths if not (package.root / "Data" / p).exists()
    )
    listed = [package.root / "Data" / p for p in paths]
    for name in sorted({value.blobFileValue.fileName for _, value in _named(package)}):
        path = _path(package, name)
        if path is not None and path.is_file() and not any(path.is_relative_to(entry.resolve()) for entry in listed):
            yield Breach("Manifest.json", f"`{name[:80]}` is in no entry")


ROWS: tuple[Row[Package], ...] = (
    Row(
        "package-entries",
        "every entry of Manifest.json exists, and weights are in one",
        "Core ML's compiler",
        "apple/coremltools, modelpackage/src/ModelPackage.cpp: items are found by their entries",
        _manifest,
    ),
    Row(
        "weight-file",
        "a weight file is `@model_path/…` inside the package",
        "Core ML's compiler",
        "MIL.proto, BlobFileValue.fileName; coremltools, backend/mil/load.py, `@model_path`",
        _files,
    ),
    Row(
        "weight-header",
        f"a weight file begins with its number of blobs and the version {_VERSION}",
        "Core ML's runtime",
        f"{_FORMAT}, storage_header",
        _header,
    ),
    Row(
        "weight-sentinel",
        "a weight's offset points to a blob's metadata",
        "Core ML's runtime",
        f"{_FORMAT}, blob_metadata.sentinel",
        _sentinel,
    ),
    Row(
        "weight-alignment",
        f"metadata and data of a weight are aligned to {_ALIGNMENT} bytes",
        "Core ML's runtime",
        f"{_FORMAT}, DefaultStorageAlignment",
        _aligned,
    ),
    Row(
        "weight-type",
        "a weight is stored with the type that the program declares",
        "Core ML's runtime",
        f"{_FORMAT}, blob_metadata.mil_dtype",
        _same_type,
    ),
    Row(
        "weight-size",
        "a weight has the size of its shape and lies inside the file",
        "Core ML's runtime",
        f"{_FORMAT}, blob_metadata.sizeInBytes",
        _same_size,
    ),
    Row(
        "weight-version",
        "before iOS 18 weight files contain only float16, float32, int8 and uint8",
        "Core ML's compiler",
        "coremltools, backend/mil/load.py, `should_use_weight_file`",
        _stored_types,
        "before iOS 18",
    ),
)
