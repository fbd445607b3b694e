"""Indices that count from the end, for kernels that do not know that."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import Array, constant
from edgec.ops.base import Value


def from_end(indices: Value, sizes: Value, g: GraphBuilder) -> Value:
    """Non-negative indices; `sizes` broadcasts against them."""
    array, limits = constant(indices), constant(sizes)
    if array is not None and limits is not None:
        known = array.astype(np.int64)
        return indices if (known >= 0).all() else g.const(np.where(known < 0, known + limits.astype(np.int64), known))
    size = g.op("Cast", sizes, to=int(indices.dtype or ir.DataType.INT64)) if sizes.dtype != indices.dtype else sizes
    negative = g.op("Less", indices, g.like(0, indices))
    return g.op("Where", negative, g.op("Add", indices, size), indices)


def is_non_negative(indices: Array) -> bool:
    """Whether every index counts from the start."""
    return bool((indices.astype(np.int64) >= 0).all())
