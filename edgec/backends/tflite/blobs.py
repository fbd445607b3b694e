"""Buffers: equal contents are shared, and streamed to the file after its tables, without a second copy in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from edgec.backends.base import Array

ALIGNMENT = 16
"""The schema's `force_align` of buffers; kernels map them in place."""

LARGEST_TABLES = (2 << 30) - (64 << 20)
"""Flatbuffer offsets are limited to 2 GiB: above this many bytes, buffers are placed after the flatbuffer.

The schema's `Buffer.offset` and `size` then give their place, from the start of the file.
"""

_DATA, _OFFSET, _SIZE = 4, 6, 8
"""Positions of `Buffer`'s fields in its vtable."""


@dataclass(frozen=True, eq=False)
class Blob:
    """An array and the element type in which it is stored. It is converted on writing."""

    array: Array
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return int(self.array.size) * self.dtype.itemsize

    def write(self, file: BinaryIO) -> None:
        """Write the content in C order."""
        stored = np.ascontiguousarray(self.array, dtype=self.dtype)
        file.write(stored.reshape(-1).view(np.uint8).data)


@dataclass
class Blobs:
    """Buffers in the order of their indices. The format requires buffer 0 to be empty."""

    found: list[Blob] = field(default_factory=list)
    _by_sample: dict[tuple[str, str, int, bytes], list[int]] = field(default_factory=dict)

    def add(self, array: Array, dtype: np.dtype[Any] | None = None) -> int:
        """The index of a buffer with the array's content: an existing one if it is equal."""
        stored = array.dtype if dtype is None else dtype
        key = (str(array.dtype), str(stored), int(array.size), array.flat[:16].tobytes())
        for number in self._by_sample.setdefault(key, []):
            other = self.found[number - 1].array
            if other is array or _same_bytes(other, array):
                return number
        self.found.append(Blob(array, stored))
        self._by_sample[key].append(len(self.found))
        return len(self.found)

    def tables(self, schema: Any, *, outside: bool) -> list[Any]:
        """`Buffer` tables whose fields are filled in when the offsets are known."""
        return [schema.BufferT(), *(_placeholder(schema, blob.size, outside=outside) for blob in self.found)]

    def write(self, head: bytearray, schema: Any, file: BinaryIO) -> None:
        """Fill the buffers' offsets into the finished tables and write them, then the buffers."""
        places = self._places(head, schema)
        file.write(head)
        for blob, place in zip(self.found, places, strict=True):
            file.write(bytes(place - file.tell()))
            if not self.outside:
                file.write(blob.size.to_bytes(4, "little"))
            blob.write(file)

    @property
    def outside(self) -> bool:
        """Whether the buffers exceed the range of flatbuffer offsets."""
        return sum(blob.size + ALIGNMENT for blob in self.found) > LARGEST_TABLES

    def _places(self, head: bytearray, schema: Any) -> list[int]:
        """The offset of each buffer (of its length prefix if inside the flatbuffer), also filled into the tables."""
        model = schema.Model.GetRootAs(head, 0)
        end, places = len(head), []
        for i, blob in enumerate(self.found):
            table = model.Buffers(i + 1)._tab
            if self.outside:
                place = _aligned(end)
                _set(head, table.Pos + table.Offset(_OFFSET), place, 8)
                _set(head, table.Pos + table.Offset(_SIZE), blob.size, 8)
                end = place + blob.size
            else:
                place = _aligned(end + 4) - 4
                field_at = table.Pos + table.Offset(_DATA)
                _set(head, field_at, place - field_at, 4)
                end = place + 4 + blob.size
            places.append(place)
        return places


def _same_bytes(a: Array, b: Array) -> bool:
    """Bitwise equality: -0.0 differs from 0.0, and NaN equals itself."""
    if a.shape != b.shape:
        a, b = a.reshape(-1), b.reshape(-1)
    bits = np.dtype(f"u{a.dtype.itemsize}") if a.dtype.itemsize in (1, 2, 4, 8) else None
    if bits is None:
        return a.tobytes() == b.tobytes()
    return bool(np.array_equal(a.view(bits), b.view(bits)))


def _placeholder(schema: Any, size: int, *, outside: bool) -> Any:
    """A `BufferT` with room for an offset: any value other than 0, which would be omitted."""

    class Placeholder(schema.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:  # noqa: N802 - the generated class's name
            schema.BufferStart(builder)
            if outside:
                schema.BufferAddSize(builder, max(size, 1))
                schema.BufferAddOffset(builder, 1)
            else:
                builder.PrependUint32Slot(0, 1, 0)
            return schema.BufferEnd(builder)

    return Placeholder()


def _set(head: bytearray, at: int, value: int, width: int) -> None:
    head[at : at + width] = value.to_bytes(width, "little")


def _aligned(position: int) -> int:
    return -(-position // ALIGNMENT) * ALIGNMENT
