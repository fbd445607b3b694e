"""Gathers and scatters.

Until iOS 16, negative indices count from the end; from iOS 17 on, they are out of range. An index out of range is an
error here; in Core ML, the result is undefined without `validate_indices`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.arguments import axis_of, integer
from edgec.runners.mil.ops.table import Context, Op, Table

_FROM_START = 17
"""The first opset (iOS 17) in which indices count only from the start."""


def _checked(context: Context, indices: Array, size: int, validate: Array | bool) -> Array:
    """Indices as non-negative integers. Raises IndexError when one is outside [-size, size), or, with `validate` and
    from iOS 17 on, outside [0, size)."""
    wide = indices.astype(np.int64)
    lowest = 0 if validate or context.opset >= _FROM_START else -size
    if wide.size and (wide.min() < lowest or wide.max() >= size):
        worst = wide.min() if wide.min() < lowest else wide.max()
        raise IndexError(f"the index {worst} is out of range for a dimension of {size}")
    return np.where(wide < 0, wide + size, wide)


def _gather(
    context: Context,
    x: Array,
    indices: Array,
    axis: Array | int = 0,
    batch_dims: Array | int = 0,
    validate_indices: Array | bool = False,
) -> Array:
    at, batch = axis_of(axis, x.ndim), integer(batch_dims)
    index = _checked(context, np.asarray(indices), x.shape[at], validate_indices)
    if batch == 0:
        return np.asarray(np.take(x, index, at))
    lead = x.shape[:batch]
    flat_x = x.reshape(-1, *x.shape[batch:])
    flat_i = index.reshape(-1, *index.shape[batch:])
    parts = [np.take(a, i, at - batch) for a, i in zip(flat_x, flat_i, strict=True)]
    return np.stack(parts).reshape(*lead, *parts[0].shape)


def _gather_along_axis(
    context: Context, x: Array, indices: Array, axis: Array | int = 0, validate_indices: Array | bool = False
) -> Array:
    at = axis_of(axis, x.ndim)
    return np.take_along_axis(x, _checked(context, indices, x.shape[at], validate_indices), at)


def _locations(context: Context, indices: Array, shape: tuple[int, ...], validate: Array | bool) -> tuple[Array, ...]:
    return tuple(_checked(context, indices[..., i], shape[i], validate) for i in range(indices.shape[-1]))


def _gather_nd(
    context: Context, x: Array, indices: Array, batch_dims: Array | int = 0, validate_indices: Array | bool = False
) -> Array:
    batch = integer(batch_dims)
    if batch == 0:
        return np.asarray(x[_locations(context, indices, x.shape, validate_indices)])
    lead = x.shape[:batch]
    flat_x = x.reshape(-1, *x.shape[batch:])
    flat_i = indices.reshape(-1, *indices.shape[batch:])
    parts = [a[_locations(context, i, a.shape, validate_indices)] for a, i in zip(flat_x, flat_i, strict=True)]
    return np.stack(parts).reshape(*lead, *parts[0].shape)


Index = Any  # a tuple of index arrays and slices, as numpy takes it
Combine = Callable[[Array, Index, Array], None]


def _update(data: Array, where: Index, updates: Array) -> None:
    data[where] = updates


def _ufunc(function: np.ufunc) -> Combine:
    def run(data: Array, where: Index, updates: Array) -> None:
        function.at(data, where, updates)

    return run


def _divide(data: Array, where: Index, updates: Array) -> None:
    if data.dtype.kind == "f":
        np.true_divide.at(data, where, updates)
    else:
        np.floor_divide.at(data, where, updates)


_MODES: dict[str, Combine] = {
    "update": _update, "add": _ufunc(np.add), "sub": _ufunc(np.subtract), "mul": _ufunc(np.multiply),
    "div": _divide, "max": _ufunc(np.maximum), "min": _ufunc(np.minimum),
}  # fmt: skip


def _apply(data: Array, where: Index, updates: Array, mode: str) -> Array:
    if mode not in _MODES:
        raise ValueError(f"scatter mode `{mode}`")
    result = data.copy()
    _MODES[mode](result, where, updates.astype(data.dtype))
    return result


def _scatter(
    context: Context, data: Array, indices: Array, updates: Array, axis: Array | int = 0, mode: str = "add",
    validate_indices: Array | bool = False,
) -> Array:  # fmt: skip
    at = axis_of(axis, data.ndim)
    index = _checked(context, np.asarray(indices), data.shape[at], validate_indices)
    return _apply(data, (slice(None),) * at + (index,), updates, mode)


def _scatter_along_axis(
    context: Context, data: Array, indices: Array, updates: Array, axis: Array | int = 0, mode: str = "add",
    validate_indices: Array | bool = False,
) -> Array:  # fmt: skip
    at = axis_of(axis, data.ndim)
    where: list[Array | slice] = list(np.indices(indices.shape, sparse=True))
    where[at] = _checked(context, indices, data.shape[at], validate_indices)
    return _apply(data, tuple(where), updates, mode)


def _scatter_nd(
    context: Context,
    data: Array,
    indices: Array,
    updates: Array,
    mode: str = "add",
    validate_indices: Array | bool = False,
) -> Array:
    return _apply(data, _locations(context, indices, data.shape, validate_indices), updates, mode)


OPS: Table = {
    "gather": Op(_gather, exact=True, context=True),
    "gather_along_axis": Op(_gather_along_axis, exact=True, context=True),
    "gather_nd": Op(_gather_nd, exact=True, context=True),
    "scatter": Op(_scatter, context=True),
    "scatter_along_axis": Op(_scatter_along_axis, context=True),
    "scatter_nd": Op(_scatter_nd, context=True),
}
