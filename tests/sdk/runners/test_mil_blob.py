"""The weight file: coremltools' files are read back, and malformed ones refused."""

import json
import struct

import numpy as np
import pytest
from coremltools.libmilstoragepython import _BlobStorageWriter as BlobWriter

from edgec.runners.mil import dtypes
from edgec.runners.mil.blob import BlobFile

RANDOM = np.random.default_rng(7)


def written(tmp_path, method, values):
    path = tmp_path / "weight.bin"
    writer = BlobWriter(str(path))
    writer.write_float_data(np.arange(3, dtype=np.float32))  # so that offsets are not the first
    offset = getattr(writer, method)(values)
    del writer
    return BlobFile(path), offset


@pytest.mark.parametrize(
    ("method", "scalar"),
    [
        ("write_float_data", dtypes.FP32),
        ("write_int8_data", dtypes.INT8),
        ("write_uint8_data", dtypes.UINT8),
        ("write_int16_data", dtypes.INT16),
        ("write_uint16_data", dtypes.UINT16),
        ("write_int32_data", dtypes.INT32),
        ("write_uint32_data", dtypes.UINT32),
    ],
)
def test_whole_bytes(tmp_path, method, scalar):
    values = RANDOM.integers(-100, 100, 35).astype(scalar.numpy)
    blob, offset = written(tmp_path, method, values)
    np.testing.assert_array_equal(blob.read(offset, scalar, (5, 7)), values.reshape(5, 7))


def test_float16(tmp_path):
    values = RANDOM.standard_normal(20).astype(np.float16)
    blob, offset = written(tmp_path, "write_fp16_data", values.view(np.uint16))
    np.testing.assert_array_equal(blob.read(offset, dtypes.FP16, (20,)), values)


@pytest.mark.parametrize("scalar", [dtypes.INT4, dtypes.UINT1, dtypes.UINT2, dtypes.UINT3, dtypes.UINT4, dtypes.UINT6])
@pytest.mark.parametrize("count", [1, 13, 64])
def test_narrow_integers(tmp_path, scalar, count):
    low, high = (-8, 8) if scalar.signed else (0, 1 << scalar.bits)
    values = RANDOM.integers(low, high, count).astype(scalar.numpy)
    blob, offset = written(tmp_path, f"write_{scalar.name}_data", values)
    np.testing.assert_array_equal(blob.read(offset, scalar, (count,)), values)


def test_the_bits_of_an_element_may_span_bytes():
    # 3-bit values 1, 2, 3 from the least significant bit: 0b011_010_001 = 0xD1, 0x00
    np.testing.assert_array_equal(
        dtypes.decode_bytes(np.array([0xD1, 0x00], np.uint8), dtypes.UINT3, 3), np.array([1, 2, 3])
    )


def test_refusals(tmp_path):
    blob, offset = written(tmp_path, "write_float_data", np.zeros(12, np.float32))
    with pytest.raises(ValueError, match="holds fp32, the program says fp16"):
        blob.read(offset, dtypes.FP16, (12,))
    with pytest.raises(ValueError, match="do not fit"):
        blob.read(offset, dtypes.FP32, (13,))
    with pytest.raises(ValueError, match="no blob at offset"):
        blob.read(offset + 64, dtypes.FP32, (12,))
    with pytest.raises(ValueError, match="no blob at offset"):
        blob.read(1 << 40, dtypes.FP32, (12,))


def test_a_blob_that_leads_outside_the_file(tmp_path):
    path = tmp_path / "weight.bin"
    path.write_bytes(struct.pack("<II56x", 1, 2) + struct.pack("<IIQQQ32x", 0xDEADBEEF, 2, 8, 1 << 20, 0) + bytes(64))
    with pytest.raises(ValueError, match="do not fit"):
        BlobFile(path).read(64, dtypes.FP32, (2,))


def test_not_a_weight_file(tmp_path):
    path = tmp_path / "weight.bin"
    path.write_bytes(json.dumps(list(range(100))).encode())
    with pytest.raises(ValueError, match="storage version"):
        BlobFile(path)
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="too few"):
        BlobFile(path)
