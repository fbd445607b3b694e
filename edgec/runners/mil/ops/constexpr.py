"""Compressed constants and quantization.

`constexpr_*` operations expand a stored weight; they are evaluated once, when the program is loaded. Those of iOS 16
take packed bytes and a shape, those of iOS 18 narrow integer types; the inputs show which one it is.
"""

from __future__ import annotations

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.dtypes import BY_NAME
from edgec.runners.mil.ops.arguments import along, integer, integers
from edgec.runners.mil.ops.table import Table, computed, exact


def _affine_dequantize(quantized_data: Array, zero_point: Array, scale: Array, axis: Array) -> Array:
    """scale * (data - zero_point); the parameters are scalars, or one for each index along `axis`."""
    rank, at = quantized_data.ndim, integer(axis)
    shifted = quantized_data.astype(np.float32) - along(zero_point, at, rank).astype(np.float32)
    return along(scale, at, rank).astype(np.float32) * shifted


def _cast(source_val: Array, output_dtype: str) -> Array:
    return source_val.astype(BY_NAME[output_dtype].numpy)


def _lut_to_dense(indices: Array, lut: Array, shape: Array | None = None, vector_axis: Array | None = None) -> Array:
    if shape is not None:
        return _packed_lut(indices, lut, integers(shape))
    return _blockwise_lut(indices, lut, None if vector_axis is None else integer(vector_axis))


def _packed_lut(indices: Array, lut: Array, shape: list[int]) -> Array:
    bits = len(lut).bit_length() - 1
    count = int(np.prod(shape, dtype=np.int64))
    stream = np.unpackbits(indices.astype(np.uint8), count=count * bits, bitorder="little").reshape(count, bits)
    return lut[np.packbits(stream, axis=1, bitorder="little").reshape(shape)]


def _spread(parameter: Array, shape: tuple[int, ...]) -> Array:
    """A blockwise parameter repeated so that its leading dimensions have `shape`."""
    for axis, size in enumerate(shape):
        if parameter.shape[axis] != size:
            parameter = np.repeat(parameter, size // parameter.shape[axis], axis)
    return parameter


def _blockwise_lut(indices: Array, lut: Array, vector_axis: int | None) -> Array:
    """lut [*blocks, palettes, vector]; vectors are laid out along `vector_axis`."""
    tables = _spread(lut, indices.shape)
    picked = np.take_along_axis(tables, indices.astype(np.int64)[..., None, None], axis=-2)[..., 0, :]
    if lut.shape[-1] == 1:
        return picked[..., 0]
    if vector_axis is None:
        raise ValueError("vectors need a vector_axis")
    at = vector_axis % indices.ndim
    shape = list(indices.shape)
    shape[at] *= lut.shape[-1]
    return np.moveaxis(picked, -1, at + 1).reshape(shape)


def _sparse_to_dense(nonzero_data: Array, mask: Array, shape: Array | None = None) -> Array:
    if shape is not None:
        sizes = integers(shape)
        count = int(np.prod(sizes, dtype=np.int64))
        mask = np.unpackbits(mask.astype(np.uint8), count=count, bitorder="little").reshape(sizes)
    dense = np.zeros(mask.shape, nonzero_data.dtype)
    dense[mask != 0] = nonzero_data
    return dense


def _blockwise_shift_scale(data: Array, scale: Array, offset: Array | None = None) -> Array:
    """scale * (data - offset), with one scale and offset for each block."""
    values = data.astype(np.float32)
    if offset is not None:
        values = values - _spread(offset.astype(np.float32), data.shape)
    return values * _spread(scale.astype(np.float32), data.shape)


def _lut_to_sparse(
    indices_mask: Array, indices_nonzero_data: Array, lut: Array, vector_axis: Array | None = None
) -> tuple[Array, Array]:
    axis = None if vector_axis is None else integer(vector_axis)
    indices = _sparse_to_dense(indices_nonzero_data, indices_mask)
    dense = _blockwise_lut(indices, lut, axis)
    mask = indices_mask
    if lut.shape[-1] > 1 and axis is not None:
        mask = np.repeat(indices_mask, lut.shape[-1], axis)
    return mask, dense[mask != 0]


def _sparse_blockwise_shift_scale(
    data_mask: Array, nonzero_data: Array, scale: Array, offset: Array | None = None
) -> tuple[Array, Array]:
    dense = _blockwise_shift_scale(_sparse_to_dense(nonzero_data, data_mask), scale, offset)
    return data_mask, dense[data_mask != 0]


def _quantize(
    input: Array, scale: Array, output_dtype: str, zero_point: Array | None = None, axis: Array | None = None
) -> Array:
    """clip(round(input / scale) + zero_point), halves rounded to even."""
    at = 0 if axis is None else integer(axis)
    values = np.rint(input / along(scale, at, input.ndim))
    if zero_point is not None:
        values = values + along(zero_point, at, input.ndim).astype(np.float32)
    target = BY_NAME[output_dtype]
    low, high = (
        (-(1 << (target.bits - 1)), (1 << (target.bits - 1)) - 1) if target.signed else (0, (1 << target.bits) - 1)
    )
    return np.clip(values, low, high).astype(target.numpy)


def _dequantize(input: Array, scale: Array, zero_point: Array | None = None, axis: Array | None = None) -> Array:
    at = 0 if axis is None else integer(axis)
    values = input.astype(np.float32)
    if zero_point is not None:
        values = values - along(zero_point, at, input.ndim).astype(np.float32)
    return values * along(scale, at, input.ndim)


OPS: Table = {
    **exact(
        constexpr_cast=_cast, constexpr_lut_to_dense=_lut_to_dense, constexpr_sparse_to_dense=_sparse_to_dense,
        constexpr_lut_to_sparse=_lut_to_sparse, quantize=_quantize,
    ),
    **computed(
        constexpr_affine_dequantize=_affine_dequantize, constexpr_blockwise_shift_scale=_blockwise_shift_scale,
        constexpr_sparse_blockwise_shift_scale=_sparse_blockwise_shift_scale, dequantize=_dequantize,
    ),
}  # fmt: skip
