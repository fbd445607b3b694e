"""MIL's scalar types: how each is stored, and the numpy type that holds it.

Types narrower than a byte are held in int8 or uint8. In storage they are packed in a bit stream, least significant bit
first: element i occupies bits i*n to (i+1)*n-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgec.runners.mil.arrays import Array


@dataclass(frozen=True)
class ScalarType:
    """A MIL scalar type: its name in MIL, bits in storage, and the numpy type that holds it."""

    name: str
    bits: int
    numpy: np.dtype[np.generic]

    @property
    def signed(self) -> bool:
        """Whether a narrow integer is in two's complement."""
        return self.numpy.kind == "i"


def _scalar(name: str, bits: int, numpy: str) -> ScalarType:
    return ScalarType(name, bits, np.dtype(numpy))


BOOL = _scalar("bool", 8, "bool")
STRING = _scalar("string", 0, "object")
FP16 = _scalar("fp16", 16, "float16")
FP32 = _scalar("fp32", 32, "float32")
FP64 = _scalar("fp64", 64, "float64")
INT4 = _scalar("int4", 4, "int8")
INT8 = _scalar("int8", 8, "int8")
INT16 = _scalar("int16", 16, "int16")
INT32 = _scalar("int32", 32, "int32")
INT64 = _scalar("int64", 64, "int64")
UINT1 = _scalar("uint1", 1, "uint8")
UINT2 = _scalar("uint2", 2, "uint8")
UINT3 = _scalar("uint3", 3, "uint8")
UINT4 = _scalar("uint4", 4, "uint8")
UINT6 = _scalar("uint6", 6, "uint8")
UINT8 = _scalar("uint8", 8, "uint8")
UINT16 = _scalar("uint16", 16, "uint16")
UINT32 = _scalar("uint32", 32, "uint32")
UINT64 = _scalar("uint64", 64, "uint64")

# Numbers of `DataType` in MIL.proto.
BY_PROTO_NUMBER: dict[int, ScalarType] = {
    1: BOOL, 2: STRING, 10: FP16, 11: FP32, 12: FP64,
    21: INT8, 22: INT16, 23: INT32, 24: INT64, 25: INT4,
    31: UINT8, 32: UINT16, 33: UINT32, 34: UINT64, 35: UINT4, 36: UINT2, 37: UINT1, 38: UINT6, 39: UINT3,
}  # fmt: skip

# Numbers of the data type field of a blob in a weight file.
BY_BLOB_NUMBER: dict[int, ScalarType] = {
    1: FP16, 2: FP32, 3: UINT8, 4: INT8, 6: INT16, 7: UINT16, 8: INT4, 9: UINT1, 10: UINT2, 11: UINT4, 12: UINT3,
    13: UINT6, 14: INT32, 15: UINT32,
}  # fmt: skip

BY_NAME: dict[str, ScalarType] = {scalar.name: scalar for scalar in BY_PROTO_NUMBER.values()}


def decode_bytes(data: Array, scalar: ScalarType, count: int) -> Array:
    """`count` values of `scalar` from little-endian bytes (uint8, 1-D). Raises ValueError when there are too few."""
    needed = (count * scalar.bits + 7) // 8
    if data.size < needed:
        raise ValueError(f"{count} values of {scalar.name} need {needed} bytes, {data.size} are there")
    data = data[:needed]
    if scalar.bits >= 8:
        return data.view(scalar.numpy.newbyteorder("<"))
    return _unpack(data, scalar, count)


def _unpack(data: Array, scalar: ScalarType, count: int) -> Array:
    bits = np.unpackbits(data.view(np.uint8), count=count * scalar.bits, bitorder="little").reshape(count, scalar.bits)
    values = np.packbits(bits, axis=1, bitorder="little").reshape(count)
    if scalar.signed:
        sign = 1 << (scalar.bits - 1)
        return (values.astype(np.int8) ^ np.int8(sign)) - np.int8(sign)
    return values
