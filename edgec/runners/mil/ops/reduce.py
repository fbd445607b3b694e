"""Reductions over axes. Float sums are computed in float32."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.arguments import axis_of, integers
from edgec.runners.mil.ops.table import Table, computed, exact

Axes = tuple[int, ...]


def _reduction(function: Callable[[Array, Axes, bool], Array]) -> Callable[..., Array]:
    def run(x: Array, axes: Array | None = None, keep_dims: Array | bool = False) -> Array:
        over = tuple(axis_of(axis, x.ndim) for axis in integers(axes, list(range(x.ndim))))
        return function(x, over, bool(keep_dims))

    return run


def _sum(x: Array, axes: Axes, keep: bool) -> Array:
    result: Array = np.sum(x, axis=axes, keepdims=keep)
    return result


def _mean(x: Array, axes: Axes, keep: bool) -> Array:
    result: Array = np.mean(x, axis=axes, keepdims=keep)
    return result


def _log_sum_exp(x: Array, axes: Axes, keep: bool) -> Array:
    peak = x.max(axis=axes, keepdims=True)
    peak = np.where(np.isfinite(peak), peak, 0)
    total = np.log(np.sum(np.exp(x - peak), axis=axes, keepdims=True)) + peak
    result: Array = total if keep else np.squeeze(total, axis=axes)
    return result


def _arg(function: Callable[..., Array]) -> Callable[..., Array]:
    """Positions of extrema; the first of equal values."""

    def run(x: Array, axis: Array | int = -1, keep_dims: Array | bool = False, output_dtype: str = "int32") -> Array:
        return function(x, axis=axis_of(axis, x.ndim), keepdims=bool(keep_dims)).astype(output_dtype)

    return run


OPS: Table = {
    **computed(
        reduce_sum=_reduction(_sum), reduce_mean=_reduction(_mean),
        reduce_prod=_reduction(lambda x, axes, keep: np.prod(x, axis=axes, keepdims=keep)),
        reduce_l1_norm=_reduction(lambda x, axes, keep: _sum(np.abs(x), axes, keep)),
        reduce_l2_norm=_reduction(lambda x, axes, keep: np.sqrt(_sum(np.square(x), axes, keep))),
        reduce_sum_square=_reduction(lambda x, axes, keep: _sum(np.square(x), axes, keep)),
        reduce_log_sum=_reduction(lambda x, axes, keep: np.log(_sum(x, axes, keep))),
        reduce_log_sum_exp=_reduction(_log_sum_exp),
    ),
    **exact(
        reduce_max=_reduction(lambda x, axes, keep: np.max(x, axis=axes, keepdims=keep)),
        reduce_min=_reduction(lambda x, axes, keep: np.min(x, axis=axes, keepdims=keep)),
        reduce_argmax=_arg(np.argmax), reduce_argmin=_arg(np.argmin),
    ),
}  # fmt: skip
