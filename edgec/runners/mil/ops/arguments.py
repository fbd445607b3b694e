"""Conversions of MIL arguments: arrays to Python numbers, defaults, axes."""

from __future__ import annotations

import numpy as np

from edgec.runners.mil.arrays import Array


def integers(value: Array | None, default: list[int] | None = None) -> list[int]:
    """A list of Python ints; `default` if the argument is absent."""
    if value is None:
        return [] if default is None else list(default)
    return [int(item) for item in np.atleast_1d(value).ravel()]


def integer(value: Array | int) -> int:
    """A Python int from a scalar (or one-element) array."""
    return int(np.asarray(value).reshape(-1)[0])


def axis_of(value: Array | int, rank: int) -> int:
    """A non-negative axis. Raises ValueError if it is out of range."""
    axis = integer(value)
    if not -rank <= axis < max(rank, 1):
        raise ValueError(f"axis {axis} is out of range for rank {rank}")
    return axis % rank if rank else 0


def along(values: Array, axis: int, rank: int) -> Array:
    """A vector reshaped so that it broadcasts along `axis` of a tensor of `rank`. Scalars stay."""
    values = np.asarray(values)
    if values.ndim == 0 or values.size == 1:
        return values.reshape(())
    shape = [1] * rank
    shape[axis] = values.size
    return values.reshape(shape)
