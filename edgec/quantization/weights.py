"""Quantizes constant weights: for each channel with the scale that minimizes the squared error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgec.quantization.parameters import Array, Quantization
from edgec.spec.numerics import NumberFormat

_CLIPPED = {4: np.linspace(1.0, 0.4, 25), 8: np.linspace(1.0, 0.8, 9)}
"""The fractions of a channel's largest magnitude that are tried as its range.

With fewer steps it pays more to reduce the step size, at the cost of clipping.
"""

_LEAST_SCALE = float(np.finfo(np.float32).tiny)
"""The scale of a channel of zeros."""


def quantized(
    weights: Array, form: NumberFormat, axis: int, least: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int8], Quantization]:
    """Quantized weights and scales in a symmetric format: for the tensor or for each slice along `axis`.

    `least`: lower bounds of the scales, one for each slice.

    The scale of a slice minimizes the sum of squared errors among clipped ranges, as in "Post training 4-bit
    quantization of convolutional networks for rapid-deployment" (Banner et al., 2019). Zero points are 0.
    """
    axis %= max(weights.ndim, 1)
    rows = _rows(weights, axis if form.granularity == "channel" else None)
    scales = _best_scales(rows, form)
    if least is not None:
        scales = np.maximum(scales, least if len(scales) > 1 else least.max(initial=0.0)).astype(np.float32)
    found = Quantization(tuple(map(float, scales)), (0,) * len(scales), axis)
    return found.steps(weights, form.limits).astype(np.int8), found


def _rows(weights: Array, axis: int | None) -> NDArray[np.float32]:
    """Each slice along `axis` as a row (None: the whole tensor)."""
    if axis is None:
        return np.asarray(weights, np.float32).reshape(1, -1)
    moved = np.moveaxis(np.asarray(weights, np.float32), axis, 0)
    return np.ascontiguousarray(moved.reshape(moved.shape[0], -1))


def _best_scales(rows: NDArray[np.float32], form: NumberFormat) -> NDArray[np.float32]:
    """The scale of each row, in float32 as in files."""
    least, most = form.limits
    largest = np.abs(rows).max(axis=1, initial=0.0)
    best = np.full(len(rows), np.inf)
    chosen: NDArray[np.float32] = np.maximum(largest / most, _LEAST_SCALE).astype(np.float32)
    for part in _CLIPPED[form.bits]:
        scales = np.maximum(largest * part / most, _LEAST_SCALE).astype(np.float32)
        steps = np.clip(np.rint(rows / scales[:, None]), least, most)
        with np.errstate(over="ignore"):  # numbers close to float32's maximum keep the full range
            errors = np.square(rows - steps * scales[:, None]).sum(axis=1, dtype=np.float64)
        better = errors < best
        best, chosen = np.where(better, errors, best), np.where(better, scales, chosen)
    return chosen
