"""The weight file of an ML Program (`weights/weight.bin`), read through a memory map.

Everything is little-endian and every part starts at a multiple of 64 bytes:

    storage header, 64 bytes   uint32 number of blobs, uint32 version (2), 56 bytes reserved
    then for each blob
      metadata, 64 bytes       uint32 sentinel 0xDEADBEEF, uint32 data type, uint64 size in bytes,
                               uint64 offset of the data in the file, uint64 padding in bits, 32 bytes reserved
      data

A program names a blob by the offset of its metadata. `padding in bits` is how much of the last byte is unused, for
types narrower than a byte. The layout is that of `StorageFormat.hpp` in coremltools' sources (mlmodel/src/MILBlob).
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.dtypes import BY_BLOB_NUMBER, ScalarType, decode_bytes

_HEADER = struct.Struct("<II56x")
_METADATA = struct.Struct("<IIQQQ32x")
_SENTINEL = 0xDEADBEEF
_VERSION = 2


class BlobFile:
    """A weight file, opened for reading. Raises ValueError when it is not one."""

    def __init__(self, path: Path) -> None:
        size = path.stat().st_size
        if size < _HEADER.size:
            raise ValueError(f"{path.name} has {size} bytes, too few for a storage header")
        self._name = path.name
        self._bytes = np.memmap(path, np.uint8, "r")
        _, version = _HEADER.unpack(self._bytes[: _HEADER.size].tobytes())
        if version != _VERSION:
            raise ValueError(f"{path.name} has storage version {version}, not {_VERSION}")

    def read(self, offset: int, scalar: ScalarType, shape: tuple[int, ...]) -> Array:
        """The tensor whose metadata is at `offset`. A view of the file if the type allows it.

        Raises ValueError if there is no blob, or its type or size differs from the program's.
        """
        if offset % _METADATA.size or offset < _HEADER.size or offset + _METADATA.size > self._bytes.size:
            raise ValueError(f"{self._name} has no blob at offset {offset}")
        sentinel, number, size, start, _ = _METADATA.unpack(self._bytes[offset : offset + _METADATA.size].tobytes())
        if sentinel != _SENTINEL:
            raise ValueError(f"{self._name} has no blob at offset {offset}")
        stored = BY_BLOB_NUMBER.get(number)
        if stored != scalar:
            found = stored.name if stored else f"type {number}"
            raise ValueError(f"the blob at {offset} in {self._name} holds {found}, the program says {scalar.name}")
        count = int(np.prod(shape, dtype=np.int64))
        if size != (count * scalar.bits + 7) // 8 or start + size > self._bytes.size:
            raise ValueError(f"the blob at {offset} in {self._name} has {size} bytes, which do not fit {shape}")
        return decode_bytes(self._bytes[start : start + size], scalar, count).reshape(shape)
