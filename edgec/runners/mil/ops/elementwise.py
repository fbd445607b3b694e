"""Elementwise arithmetic, comparison and mathematics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgec.runners.mil import kernels
from edgec.runners.mil.arrays import Array
from edgec.runners.mil.dtypes import BY_NAME
from edgec.runners.mil.ops.table import Table, computed, exact


def _floats(x: Array) -> bool:
    return x.dtype.kind == "f"


def _real_div(x: Array, y: Array) -> Array:
    """The quotient; the declared integer type truncates it toward zero for integers."""
    if _floats(x) or _floats(y):
        return np.true_divide(x, y, dtype=np.float32)
    return np.trunc(np.true_divide(x, y))


def _floor_div(x: Array, y: Array) -> Array:
    return np.floor(np.true_divide(x, y)) if _floats(x) else np.floor_divide(x, y)


def _mod(x: Array, y: Array) -> Array:
    """The remainder has the sign of the divisor, as in Python: x - floor(x / y) * y."""
    return np.mod(x, y)


def _power(x: Array, y: Array) -> Array:
    if _floats(x) or _floats(y):
        return np.power(x, y)
    return np.power(x.astype(np.float64), y)


def _sigmoid(x: Array) -> Array:
    """Stable for both signs: exp is applied to -|x| only."""
    e = np.exp(-np.abs(x))
    result: Array = np.where(x >= 0, 1, e) / (1 + e)
    return result


def _log(x: Array, epsilon: Array | float = 1e-45) -> Array:
    return np.log(x + np.float32(epsilon))


def _rsqrt(x: Array, epsilon: Array | float = 1e-12) -> Array:
    return 1 / np.sqrt(x + np.float32(epsilon))


def _inverse(x: Array, epsilon: Array | float = 1e-4) -> Array:
    return 1 / (x + np.float32(epsilon))


def _clip(x: Array, alpha: Array, beta: Array) -> Array:
    return np.minimum(np.maximum(x, alpha), beta)


def _threshold(x: Array, alpha: Array) -> Array:
    return np.maximum(x, alpha)


def _cast(x: Array, dtype: str) -> Array:
    """Float to integer truncates toward zero. From iOS 17 on, the target may be narrower than int32."""
    target = BY_NAME.get({"string": "string"}.get(dtype, dtype))
    if target is None or target.numpy.kind == "O":
        raise ValueError(f"cannot cast to `{dtype}`")
    if target.numpy.kind == "f":
        return x.astype(np.float32)
    return x.astype(target.numpy)


def _logical(function: Callable[..., Array]) -> Callable[[Array, Array], Array]:
    def run(x: Array, y: Array) -> Array:
        return function(x != 0, y != 0)

    return run


def _select(cond: Array, a: Array, b: Array) -> Array:
    return np.where(cond != 0, a, b)


def _unary(function: Callable[..., Array]) -> Callable[[Array], Array]:
    def run(x: Array) -> Array:
        return function(x)

    return run


def _binary(function: Callable[..., Array]) -> Callable[[Array, Array], Array]:
    def run(x: Array, y: Array) -> Array:
        return function(x, y)

    return run


OPS: Table = {
    **computed(
        add=_binary(np.add), sub=_binary(np.subtract), mul=_binary(np.multiply), real_div=_real_div,
        floor_div=_floor_div, mod=_mod, pow=_power,
        exp=_unary(np.exp), exp2=_unary(np.exp2), log=_log, sqrt=_unary(np.sqrt), rsqrt=_rsqrt, inverse=_inverse,
        square=_unary(np.square), erf=_unary(kernels.erf), sigmoid=_sigmoid,
        acos=_unary(np.arccos), asin=_unary(np.arcsin), atan=_unary(np.arctan), atanh=_unary(np.arctanh),
        cos=_unary(np.cos), cosh=_unary(np.cosh), sin=_unary(np.sin), sinh=_unary(np.sinh), tan=_unary(np.tan),
        tanh=_unary(np.tanh), cast=_cast, clip=_clip, threshold=_threshold,
    ),
    **exact(
        maximum=_binary(np.maximum), minimum=_binary(np.minimum), abs=_unary(np.abs), sign=_unary(np.sign),
        floor=_unary(np.floor), ceil=_unary(np.ceil), round=_unary(np.round),
        equal=_binary(np.equal), not_equal=_binary(np.not_equal), greater=_binary(np.greater),
        greater_equal=_binary(np.greater_equal), less=_binary(np.less), less_equal=_binary(np.less_equal),
        logical_and=_logical(np.logical_and), logical_or=_logical(np.logical_or),
        logical_xor=_logical(np.logical_xor), logical_not=lambda x: x == 0, select=_select,
    ),
}  # fmt: skip
