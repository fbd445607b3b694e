"""Pools over the spatial dimensions of [n, C, spatial]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.arguments import integers
from edgec.runners.mil.ops.padding import Window, output_size, resolve_padding
from edgec.runners.mil.ops.table import Op, Table


@dataclass(frozen=True)
class _Geometry:
    """A pool's kernel, padding and number of outputs for each spatial dimension."""

    window: Window
    padding: list[tuple[int, int]]
    count: list[int]

    def padded(self, x: Array, value: float) -> Array:
        """x padded with `value` so that all windows are complete."""
        widths = [(0, 0), (0, 0)]
        for i, (before, _) in enumerate(self.padding):
            need = (self.count[i] - 1) * self.window.strides[i] + self.window.kernel[i]
            widths.append((before, max(need - before - x.shape[2 + i], 0)))
        return np.pad(x, widths, constant_values=value) if any(w != (0, 0) for w in widths) else x

    def views(self, padded: Array) -> Iterator[Array]:
        """For each position in the kernel, the elements at that position in all windows."""
        for offset in product(*(range(k) for k in self.window.kernel)):
            index = [slice(None), slice(None)]
            for i, start in enumerate(offset):
                stride = self.window.strides[i]
                index.append(slice(start, start + (self.count[i] - 1) * stride + 1, stride))
            yield padded[tuple(index)]


def _geometry(
    x: Array, kernel_sizes: Array, strides: Array | None, pad_type: str, pad: Array | None, ceil_mode: Array | bool
) -> _Geometry:
    kernel = integers(kernel_sizes)
    ones = [1] * len(kernel)
    window = Window(kernel, integers(strides, ones), ones)
    size = list(x.shape[2:])
    padding = resolve_padding(pad_type, integers(pad, [0] * 2 * len(kernel)), size, window)
    count = [
        output_size(size[i], padding[i], kernel[i], window.strides[i], bool(ceil_mode)) for i in range(len(kernel))
    ]
    return _Geometry(window, padding, count)


def _combine(views: Iterator[Array], function: Callable[..., Array]) -> Array:
    total = next(views).copy()
    for view in views:
        function(total, view, out=total)
    return total


def _max_pool(
    x: Array, kernel_sizes: Array, pad_type: str, *, strides: Array | None = None, pad: Array | None = None,
    ceil_mode: Array | bool = False,
) -> Array:  # fmt: skip
    geometry = _geometry(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    return _combine(geometry.views(geometry.padded(x, -np.inf)), np.maximum)


def _avg_pool(
    x: Array, kernel_sizes: Array, pad_type: str, *, strides: Array | None = None, pad: Array | None = None,
    exclude_padding_from_average: Array | bool = False, ceil_mode: Array | bool = False,
) -> Array:  # fmt: skip
    """The divisor counts the elements of the window, with or without the declared padding; positions that `ceil_mode`
    adds beyond it never count."""
    geometry = _geometry(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    total = _combine(geometry.views(geometry.padded(x, 0)), np.add)
    return total / _divisor(x.shape[2:], geometry, bool(exclude_padding_from_average))


def _divisor(size: tuple[int, ...], geometry: _Geometry, exclude_padding: bool) -> Array:
    divisor = np.ones((), np.float32)
    for i, (before, after) in enumerate(geometry.padding):
        start = np.arange(geometry.count[i]) * geometry.window.strides[i] - before
        end = start + geometry.window.kernel[i]
        low, high = (0, size[i]) if exclude_padding else (-before, size[i] + after)
        counted = (np.minimum(end, high) - np.maximum(start, low)).astype(np.float32)
        divisor = divisor[..., None] * counted
    return divisor


def _l2_pool(
    x: Array, kernel_sizes: Array, pad_type: str, *, strides: Array | None = None, pad: Array | None = None,
    ceil_mode: Array | bool = False,
) -> Array:  # fmt: skip
    geometry = _geometry(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    return np.sqrt(_combine(geometry.views(geometry.padded(np.square(x), 0)), np.add))


OPS: Table = {"max_pool": Op(_max_pool, exact=True), "avg_pool": Op(_avg_pool), "l2_pool": Op(_l2_pool)}
