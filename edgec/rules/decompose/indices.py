"""Makes indices that count from the end non-negative, for kernels that do not support them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import Array, constant
from edgec.ops.base import Ints, Value


def from_end(indices: Value, sizes: Value, g: GraphBuilder) -> Value:
    """Non-negative indices; `sizes` broadcasts against them."""
    array, limits = constant(indices), constant(sizes)
    if array is not None and limits is not None:
        known = array.astype(np.int64)
        return indices if (known >= 0).all() else g.const(np.where(known < 0, known + limits.astype(np.int64), known))
    size = g.op("Cast", sizes, to=int(indices.dtype or ir.DataType.INT64)) if sizes.dtype != indices.dtype else sizes
    negative = g.op("Less", indices, g.like(0, indices))
    return g.op("Where", negative, g.op("Add", indices, size), indices)


def flat_rows(indices: Value, sizes: Ints, g: GraphBuilder) -> Value:
    """(count,) int64: the flat index of each row (…, k) of non-negative indices into a tensor of these k sizes."""
    rows = g.op("Reshape", indices, g.ints(-1, len(sizes)))
    if indices.dtype != ir.DataType.INT64:
        rows = g.op("Cast", rows, to=int(ir.DataType.INT64))
    if len(sizes) == 1:
        return g.op("Reshape", rows, g.ints(-1))
    strides = np.cumprod([1, *reversed(sizes)])[:-1][::-1]
    return g.op("ReduceSum", g.op("Mul", rows, g.const(strides.astype(np.int64))), g.ints(1), keepdims=0)


def is_non_negative(indices: Array) -> bool:
    """Whether no index counts from the end."""
    return bool((indices.astype(np.int64) >= 0).all())


def sizes_of(x: Value, axes: Sequence[int], g: GraphBuilder) -> Value:
    """The sizes of adjacent dimensions, (n) int64; a scalar for a single one. Open sizes are read at run time."""
    assert x.shape is not None
    sizes = [x.shape[axis] for axis in axes]
    if all(isinstance(size, int) for size in sizes):
        return g.const(np.asarray(sizes[0] if len(sizes) == 1 else sizes, dtype=np.int64))
    found = g.op("Shape", x, start=axes[0], end=axes[-1] + 1)
    return g.op("Squeeze", found, g.ints(0)) if len(sizes) == 1 else found
