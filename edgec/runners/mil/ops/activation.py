"""Activations. Formulas are those of the op definitions (iOS 15 `activation`)."""

from __future__ import annotations

import math

import numpy as np

from edgec.runners.mil import kernels
from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.arguments import along, axis_of
from edgec.runners.mil.ops.table import Table, computed, exact


def _clamped_relu(x: Array, alpha: Array, beta: Array) -> Array:
    result: Array = np.minimum(np.maximum(x, 0), beta) + np.minimum(np.minimum(x, 0) * alpha, beta)
    return result


def _elu(x: Array, alpha: Array | float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu(x: Array, mode: str = "EXACT") -> Array:
    result: Array
    if mode == "EXACT":
        result = np.float32(0.5) * x * (1 + kernels.erf(x * np.float32(math.sqrt(0.5))))
    elif mode == "TANH_APPROXIMATION":
        inner = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x**3)
        result = np.float32(0.5) * x * (1 + np.tanh(inner))
    elif mode == "SIGMOID_APPROXIMATION":
        result = x / (1 + np.exp(np.float32(-1.702) * x))
    else:
        raise ValueError(f"gelu mode `{mode}`")
    return result


def _leaky_relu(x: Array, alpha: Array | float = 0.01) -> Array:
    return np.where(x >= 0, x, x * alpha)


def _linear_activation(x: Array, alpha: Array, beta: Array | float = 0.0) -> Array:
    return alpha * x + beta


def _prelu(x: Array, alpha: Array) -> Array:
    result: Array = np.maximum(x, 0) + np.minimum(x, 0) * along(alpha, 1, x.ndim)
    return result


def _scaled_tanh(x: Array, alpha: Array | float = 1.0, beta: Array | float = 1.0) -> Array:
    return alpha * np.tanh(x * beta)


def _sigmoid_hard(x: Array, alpha: Array | float = 0.2, beta: Array | float = 0.5) -> Array:
    return np.minimum(np.maximum(alpha * x + beta, 0), 1)


def _silu(x: Array) -> Array:
    result: Array = x / (1 + np.exp(-x))
    return result


def _softplus(x: Array) -> Array:
    return np.logaddexp(x, np.float32(0))


def _softplus_parametric(x: Array, alpha: Array, beta: Array) -> Array:
    return along(alpha, 1, x.ndim) * _softplus(x * along(beta, 1, x.ndim))


def _softsign(x: Array) -> Array:
    result: Array = x / (1 + np.abs(x))
    return result


def _thresholded_relu(x: Array, alpha: Array | float = 1.0) -> Array:
    return np.where(x < alpha, np.float32(0), x)


def softmax(x: Array, axis: Array | int = -1) -> Array:
    """exp(x - max) / sum along an axis; the sum is computed in float32."""
    axis = axis_of(axis, x.ndim)
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    e /= e.sum(axis=axis, keepdims=True)
    result: Array = e
    return result


OPS: Table = {
    **computed(
        clamped_relu=_clamped_relu, elu=_elu, gelu=_gelu, leaky_relu=_leaky_relu, linear_activation=_linear_activation,
        prelu=_prelu, scaled_tanh=_scaled_tanh, sigmoid_hard=_sigmoid_hard, silu=_silu, softplus=_softplus,
        softplus_parametric=_softplus_parametric, softsign=_softsign, softmax=softmax,
    ),
    **exact(
        relu=lambda x: np.maximum(x, 0), relu6=lambda x: np.clip(x, 0, 6), thresholded_relu=_thresholded_relu,
    ),
}  # fmt: skip
