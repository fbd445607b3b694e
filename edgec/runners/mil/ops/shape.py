"""Operations that move values: reshapes, slices, transposes, concatenation and splits."""

from __future__ import annotations

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.arguments import axis_of, integer, integers
from edgec.runners.mil.ops.table import Table, exact


def _reshape(x: Array, shape: Array) -> Array:
    """-1 is inferred; 0 copies the input's dimension, counted from the right, or is 1 if there is none (iOS 17; equal
    to the older rule if the ranks agree)."""
    wanted = integers(shape) if np.size(shape) else []
    shift = x.ndim - len(wanted)
    resolved = [
        (x.shape[i + shift] if i + shift >= 0 else 1) if size == 0 and x.size else size for i, size in enumerate(wanted)
    ]
    return x.reshape(resolved)


def _reshape_like(
    x: Array, ref_tensors: list[Array], begins: list[Array], ends: list[Array], end_masks: list[Array]
) -> Array:
    shape: list[int] = []
    for ref, begin, end, mask in zip(ref_tensors, begins, ends, end_masks, strict=True):
        shape += ref.shape[integer(begin) : None if bool(mask) else integer(end)]
    return x.reshape(shape)


def _expand_dims(x: Array, axes: Array) -> Array:
    return np.expand_dims(x, tuple(integers(axes)))


def _squeeze(x: Array, axes: Array | None = None) -> Array:
    return np.squeeze(x, None if axes is None else tuple(integers(axes)))


def _transpose(x: Array, perm: Array) -> Array:
    return x.transpose([axis_of(axis, x.ndim) for axis in integers(perm)])


def _flatten2d(x: Array, axis: Array | int = 1) -> Array:
    at = integer(axis) + (x.ndim if integer(axis) < 0 else 0)
    return x.reshape(int(np.prod(x.shape[:at], dtype=np.int64)), int(np.prod(x.shape[at:], dtype=np.int64)))


def _concat(values: list[Array], axis: Array, interleave: Array | bool = False) -> Array:
    """Concatenation; `interleave` alternates the slices of the values along the axis."""
    at = axis_of(axis, values[0].ndim)
    if not interleave:
        return np.concatenate(values, at)
    stacked = np.stack(values, at + 1)
    shape = list(values[0].shape)
    shape[at] *= len(values)
    return stacked.reshape(shape)


def _stack(values: list[Array], axis: Array) -> Array:
    return np.stack(values, integer(axis))


def _split(
    x: Array, axis: Array, num_splits: Array | None = None, split_sizes: Array | None = None
) -> tuple[Array, ...]:
    at = axis_of(axis, x.ndim)
    if split_sizes is not None:
        return tuple(np.split(x, np.cumsum(integers(split_sizes))[:-1], at))
    if num_splits is None:
        raise ValueError("split needs num_splits or split_sizes")
    return tuple(np.split(x, integer(num_splits), at))


def slices(
    rank: int, begin: Array, end: Array, stride: Array | None, begin_mask: Array | None, end_mask: Array | None,
    squeeze_mask: Array | None,
) -> tuple[slice | int, ...]:  # fmt: skip
    """The index of `slice_by_index`. Negative begins and ends count from the end, as in numpy."""
    begins, ends, strides = integers(begin), integers(end), integers(stride, [1] * rank)
    free_begin = integers(begin_mask, [0] * rank)
    free_end = integers(end_mask, [0] * rank)
    squeeze = integers(squeeze_mask, [0] * rank)
    index: list[slice | int] = []
    for i in range(rank):
        if squeeze[i]:
            index.append(0 if free_begin[i] else begins[i])
        else:
            index.append(slice(None if free_begin[i] else begins[i], None if free_end[i] else ends[i], strides[i]))
    return tuple(index)


def _slice_by_index(
    x: Array, begin: Array, end: Array, stride: Array | None = None, begin_mask: Array | None = None,
    end_mask: Array | None = None, squeeze_mask: Array | None = None,
) -> Array:  # fmt: skip
    return np.asarray(x[slices(x.ndim, begin, end, stride, begin_mask, end_mask, squeeze_mask)])


def _slice_update(
    x: Array, update: Array, begin: Array, end: Array, stride: Array | None = None, begin_mask: Array | None = None,
    end_mask: Array | None = None, squeeze_mask: Array | None = None,
) -> Array:  # fmt: skip
    result = x.copy()
    result[slices(x.ndim, begin, end, stride, begin_mask, end_mask, squeeze_mask)] = update
    return result


def _slice_by_size(x: Array, begin: Array, size: Array) -> Array:
    """A size of -1 means the rest of the dimension."""
    index = []
    for start, length, extent in zip(integers(begin), integers(size), x.shape, strict=True):
        start = start + extent if start < 0 else start
        index.append(slice(start, extent if length < 0 else start + length))
    return x[tuple(index)]


def _reverse(x: Array, axes: Array | None = None) -> Array:
    return np.flip(x, None if axes is None else tuple(integers(axes)))


def _reverse_sequence(x: Array, lengths: Array, seq_axis: Array | int = 0, batch_axis: Array | int = 0) -> Array:
    sequence, batch = axis_of(seq_axis, x.ndim), axis_of(batch_axis, x.ndim)
    result = x.copy()
    source, target = np.moveaxis(x, (batch, sequence), (0, 1)), np.moveaxis(result, (batch, sequence), (0, 1))
    for i, length in enumerate(integers(lengths)):
        target[i, :length] = source[i, :length][::-1]
    return result


def _sliding_windows(x: Array, axis: Array, size: Array, stride: Array | int = 1) -> Array:
    at = axis_of(axis, x.ndim)
    windows = np.lib.stride_tricks.sliding_window_view(x, integer(size), at)
    windows = windows[(slice(None),) * at + (slice(None, None, integer(stride)),)]
    return np.moveaxis(windows, -1, at + 1)


def _depth_to_space(x: Array, block_size: Array) -> Array:
    """Channel order (block row, block column, channel), as in TensorFlow."""
    n, c, h, w = x.shape
    b = integer(block_size)
    y = x.reshape(n, b, b, c // (b * b), h, w).transpose(0, 3, 4, 1, 5, 2)
    return y.reshape(n, c // (b * b), h * b, w * b)


def _space_to_depth(x: Array, block_size: Array) -> Array:
    n, c, h, w = x.shape
    b = integer(block_size)
    y = x.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4)
    return y.reshape(n, c * b * b, h // b, w // b)


def _pixel_shuffle(x: Array, upscale_factor: Array) -> Array:
    """Channel order (channel, block row, block column), as in PyTorch."""
    n, c, h, w = x.shape
    r = integer(upscale_factor)
    return x.reshape(n, c // (r * r), r, r, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // (r * r), h * r, w * r)


def _pixel_unshuffle(x: Array, downscale_factor: Array) -> Array:
    n, c, h, w = x.shape
    r = integer(downscale_factor)
    return x.reshape(n, c, h // r, r, w // r, r).transpose(0, 1, 3, 5, 2, 4).reshape(n, c * r * r, h // r, w // r)


def _space_to_batch(x: Array, block_shape: Array, paddings: Array) -> Array:
    """Moves the blocks of [n, C, spatial] to the front of the batch."""
    blocks = integers(block_shape)
    widths = [(0, 0), (0, 0), *((int(a), int(b)) for a, b in paddings)]
    x = np.pad(x, widths)
    shape: list[int] = [x.shape[0], x.shape[1]]
    for size, block in zip(x.shape[2:], blocks, strict=True):
        shape += [size // block, block]
    k = len(blocks)
    perm = [3 + 2 * i for i in range(k)] + [0, 1] + [2 + 2 * i for i in range(k)]
    y = x.reshape(shape).transpose(perm)
    return y.reshape(-1, x.shape[1], *(s // b for s, b in zip(x.shape[2:], blocks, strict=True)))


def _batch_to_space(x: Array, block_shape: Array, crops: Array) -> Array:
    """The inverse of `space_to_batch`, cropped."""
    blocks = integers(block_shape)
    k = len(blocks)
    n = x.shape[0] // int(np.prod(blocks))
    y = x.reshape(*blocks, n, *x.shape[1:])
    perm = [k, k + 1]
    for i in range(k):
        perm += [k + 2 + i, i]
    y = y.transpose(perm).reshape(n, x.shape[1], *(s * b for s, b in zip(x.shape[2:], blocks, strict=True)))
    index = [slice(None), slice(None)]
    for (before, after), size in zip(np.asarray(crops).reshape(-1, 2), y.shape[2:], strict=True):
        index.append(slice(int(before), size - int(after)))
    return y[tuple(index)]


def _crop(x: Array, crop_height: Array, crop_width: Array) -> Array:
    top, bottom = integers(crop_height)
    left, right = integers(crop_width)
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


OPS: Table = exact(
    reshape=_reshape, reshape_like=_reshape_like, expand_dims=_expand_dims, squeeze=_squeeze, transpose=_transpose,
    flatten2d=_flatten2d, concat=_concat, stack=_stack, split=_split, slice_by_index=_slice_by_index,
    slice_update=_slice_update, slice_by_size=_slice_by_size, reverse=_reverse, reverse_sequence=_reverse_sequence,
    sliding_windows=_sliding_windows, depth_to_space=_depth_to_space, space_to_depth=_space_to_depth,
    pixel_shuffle=_pixel_shuffle, pixel_unshuffle=_pixel_unshuffle, space_to_batch=_space_to_batch,
    batch_to_space=_batch_to_space, crop=_crop, identity=lambda x: x,
)  # fmt: skip
