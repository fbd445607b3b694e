"""The extent and coverage of windows, for pools whose last windows extend beyond the input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgec.ops.base import Ints
from edgec.ops.spatial import Window


def with_overhang(window: Window, sizes: Ints, outs: Ints) -> Window:
    """The window, with end padding extended for ceil_mode's last windows."""
    rows = zip(sizes, outs, window.extent, window.strides, window.pads_begin, window.pads_end, strict=True)
    end = tuple(max(q, (out - 1) * s + extent - size - p) for size, out, extent, s, p, q in rows)
    return Window(window.kernel, window.strides, window.dilations, window.pads_begin, end)


def covered(window: Window, padding: Window | None, axis: int, size: int, out: int) -> NDArray[np.float64]:
    """The number of elements that each window covers along one spatial axis, including those of `padding`'s pads."""
    before = padding.pads_begin[axis] if padding is not None else 0
    after = padding.pads_end[axis] if padding is not None else 0
    start = np.arange(out) * window.strides[axis] - window.pads_begin[axis]
    taps = start[:, None] + np.arange(window.kernel[axis]) * window.dilations[axis]
    return np.asarray(((taps >= -before) & (taps < size + after)).sum(axis=1), dtype=np.float64)
