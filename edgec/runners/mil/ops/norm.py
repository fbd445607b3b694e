"""Normalizations. Statistics are computed in float32, whatever the tensor's type."""

from __future__ import annotations

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.arguments import along, axis_of, integer, integers
from edgec.runners.mil.ops.table import Table, computed


def _batch_norm(
    x: Array, mean: Array, variance: Array, gamma: Array | None = None, beta: Array | None = None,
    epsilon: Array | float = 1e-5,
) -> Array:  # fmt: skip
    scale = 1 / np.sqrt(variance + np.float32(epsilon))
    if gamma is not None:
        scale = scale * gamma
    shift = -mean * scale if beta is None else beta - mean * scale
    return x * along(scale, 1, x.ndim) + along(shift, 1, x.ndim)


def _normalize(x: Array, axes: tuple[int, ...], epsilon: Array | float) -> Array:
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    centred /= np.sqrt(variance + np.float32(epsilon))
    result: Array = centred
    return result


def _instance_norm(
    x: Array, gamma: Array | None = None, beta: Array | None = None, epsilon: Array | float = 1e-5
) -> Array:
    y = _normalize(x, tuple(range(2, x.ndim)), epsilon)
    if gamma is not None:
        y = y * along(gamma, 1, x.ndim)
    return y if beta is None else y + along(beta, 1, x.ndim)


def _layer_norm(
    x: Array, axes: Array | None = None, gamma: Array | None = None, beta: Array | None = None,
    epsilon: Array | float = 1e-5,
) -> Array:  # fmt: skip
    over = sorted(axis_of(axis, x.ndim) for axis in integers(axes, list(range(x.ndim))))
    y = _normalize(x, tuple(over), epsilon)
    shape = [x.shape[i] if i in over else 1 for i in range(x.ndim)]
    if gamma is not None:
        y = y * gamma.reshape(shape)
    return y if beta is None else y + beta.reshape(shape)


def _l2_norm(x: Array, epsilon: Array | float = 1e-6) -> Array:
    """L2 normalization over the last three axes."""
    result: Array = x / np.sqrt(np.square(x).sum(axis=(-3, -2, -1), keepdims=True) + np.float32(epsilon))
    return result


def _local_response_norm(
    x: Array, size: Array, alpha: Array | float = 1e-4, beta: Array | float = 0.75, k: Array | float = 1.0
) -> Array:
    """Normalization over `size` adjacent channels: size // 2 before, (size - 1) // 2 after, fewer at the borders."""
    width = integer(size)
    before = width // 2
    squares = np.zeros((x.shape[0], x.shape[1] + width - 1, *x.shape[2:]), np.float32)
    squares[:, before : before + x.shape[1]] = np.square(x)
    total = sum(squares[:, i : i + x.shape[1]] for i in range(width))
    return x / np.power(np.float32(k) + np.float32(alpha) / width * total, np.float32(beta))


OPS: Table = computed(
    batch_norm=_batch_norm, instance_norm=_instance_norm, layer_norm=_layer_norm, l2_norm=_l2_norm,
    local_response_norm=_local_response_norm,
)  # fmt: skip
