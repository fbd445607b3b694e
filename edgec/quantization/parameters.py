"""Affine quantization: real = scale * (step - zero point)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Quantization:
    """The scale and zero point of a tensor, or of each of its slices along `axis`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    @property
    def is_per_tensor(self) -> bool:
        """Whether there is a single scale."""
        return len(self.scales) == 1

    @property
    def scale(self) -> float:
        """The scale of a per-tensor quantization. Raises `ValueError` for others."""
        (scale,) = self.scales
        return scale

    @property
    def zero_point(self) -> int:
        """The zero point of a per-tensor quantization. Raises `ValueError` for others."""
        (zero_point,) = self.zero_points
        return zero_point

    def steps(self, array: Array, limits: tuple[int, int]) -> NDArray[np.int32]:
        """The nearest quantized value of each number, ties to even, clamped to `limits`."""
        scales, zeros = self._spread(array.ndim)
        found = np.rint(array.astype(np.float64) / scales) + zeros
        return np.asarray(np.clip(found, *limits), dtype=np.int32)

    def numbers(self, steps: Array) -> NDArray[np.float32]:
        """The real numbers that the quantized values represent."""
        scales, zeros = self._spread(steps.ndim)
        return np.asarray((steps.astype(np.float64) - zeros) * scales, dtype=np.float32)

    def _spread(self, rank: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scales and zero points in a shape that broadcasts."""
        shape = [1] * rank
        if not self.is_per_tensor:
            shape[self.axis] = -1
        scales, zeros = np.asarray(self.scales, np.float64), np.asarray(self.zero_points, np.float64)
        return scales.reshape(shape), zeros.reshape(shape)

    def __str__(self) -> str:
        """The form used in a program's text."""
        if self.is_per_tensor:
            return f"scale {self.scale:.6g} zero {self.zero_point}"
        return f"{len(self.scales)} scales along {self.axis}"
