"""Matrix products: linear, matmul, einsum and scaled dot-product attention. Sums are accumulated in float32."""

from __future__ import annotations

import math

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.activation import softmax
from edgec.runners.mil.ops.table import Table, computed


def _linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x [*, D_in], weight [D_out, D_in]."""
    y = np.matmul(x, weight.T)
    result: Array = y if bias is None else y + bias
    return result


def _matmul(x: Array, y: Array, transpose_x: Array | bool = False, transpose_y: Array | bool = False) -> Array:
    """numpy.matmul; a transpose flag is ignored for a vector."""
    if transpose_x and x.ndim > 1:
        x = np.swapaxes(x, -1, -2)
    if transpose_y and y.ndim > 1:
        y = np.swapaxes(y, -1, -2)
    result: Array = np.matmul(x, y)
    return result


def _einsum(values: list[Array], equation: str) -> Array:
    result: Array = np.einsum(equation.replace(" ", ""), *values, optimize=True)
    return result


def _attention(query: Array, key: Array, value: Array, attn_mask: Array | None = None) -> Array:
    """softmax(Q Kᵀ / sqrt(E) + mask) V; a bool mask keeps scores where it is true."""
    scores = np.matmul(query, np.swapaxes(key, -1, -2)) * np.float32(1 / math.sqrt(query.shape[-1]))
    if attn_mask is not None:
        keep = attn_mask.dtype.kind == "b"
        scores = np.where(attn_mask, scores, np.float32(-np.inf)) if keep else scores + attn_mask
    result: Array = np.matmul(softmax(scores), value)
    return result


OPS: Table = computed(linear=_linear, matmul=_matmul, einsum=_einsum, scaled_dot_product_attention=_attention)
