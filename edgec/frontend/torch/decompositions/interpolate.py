"""Resizes by a factor that is not the ratio of the sizes. The exporter uses the factor where PyTorch uses the sizes,
and rounds differently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgec.frontend.torch.decompositions.base import Decomposition

aten = torch.ops.aten
Factors = Sequence[float | None]


def _static(x: torch.Tensor) -> bool:
    return all(isinstance(size, int) for size in x.shape[2:])


def _sizes(x: torch.Tensor, factors: Factors) -> list[int]:
    """Rounded down, as aten's `upsample::compute_output_size` does."""
    return [int(size * (factor or 1.0)) for size, factor in zip(x.shape[2:], factors, strict=True)]


def _linear(name: str) -> dict[str, Decomposition]:
    operator = getattr(aten, name)

    def by_sizes(x: torch.Tensor, sizes: Any, align: bool, factors: Any = None) -> torch.Tensor:
        found: torch.Tensor = operator.vec(x, _sizes(x, factors) if sizes is None else sizes, align, None)
        return found

    def aligns_by_factors(x: torch.Tensor, sizes: Any, align: bool, factors: Any = None) -> bool:
        """Whether corners are aligned although a factor is given, which is irrelevant then."""
        return align and factors is not None and _static(x)

    return {f"aten.{name}.vec": Decomposition(by_sizes, aligns_by_factors)}


def _nearest(x: torch.Tensor, sizes: Any, factors: Factors, exact: bool) -> torch.Tensor:
    """By the indices that aten's `UpSampleKernel.cpp` computes in float32 (with a fused multiply-add)."""
    sizes = _sizes(x, factors) if sizes is None else sizes
    for axis, (out, factor) in enumerate(zip(sizes, factors, strict=True), 2):
        size = x.shape[axis]
        step = float(_step(size, out, factor))
        at = torch.arange(out, dtype=torch.float64, device=x.device)
        at = (((at + 0.5) * step - 0.5).float() + 0.5) if exact else (at * step).float()
        x = torch.index_select(x, axis, torch.clamp(torch.floor(at), 0, size - 1).to(torch.int64))
    return x


def _step(size: int, out: int, factor: float | None) -> np.float32:
    """Input samples per output sample (`compute_scales_value<float>`)."""
    return np.float32(1.0 / factor) if factor else np.float32(size) / np.float32(out)


def _picked(size: int, out: int, factor: float | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The input index of each output in PyTorch, and in ONNX Runtime."""
    at = np.arange(out, dtype=np.float32)
    scale = np.float32(factor) if factor else np.float32(out) / np.float32(size)
    theirs = np.floor(at * _step(size, out, factor)), np.floor(at / scale)
    return np.minimum(theirs[0], size - 1), np.minimum(theirs[1], size - 1)


def _is_apart(x: torch.Tensor, sizes: Any, factors: Factors) -> bool:
    """Whether the two round to different elements anywhere."""
    if not _static(x) or not all(isinstance(size, int) for size in sizes or ()):
        return False
    sizes = _sizes(x, factors) if sizes is None else sizes
    rows = zip(x.shape[2:], sizes, factors, strict=True)
    return any(not np.array_equal(*_picked(size, out, factor)) for size, out, factor in rows)


def _given(x: torch.Tensor, factors: tuple[Any, ...]) -> Factors:
    """A factor or None for each dimension: overload `vec` takes a list, `default` separate arguments."""
    listed = factors[0] if factors and isinstance(factors[0], Sequence) else factors
    return [*listed] if any(f is not None for f in listed) else [None] * (x.dim() - 2)


def _of_nearest(exact: bool) -> Callable[..., torch.Tensor]:
    def resize(x: torch.Tensor, sizes: Any, *factors: Any) -> torch.Tensor:
        return _nearest(x, sizes, _given(x, factors), exact)

    return resize


def _rounds_otherwise(x: torch.Tensor, sizes: Any, *factors: Any) -> bool:
    return _is_apart(x, sizes, _given(x, factors))


def _is_static(x: torch.Tensor, sizes: Any, *factors: Any) -> bool:
    return _static(x) and all(isinstance(size, int) for size in sizes or ())


INTERPOLATE: dict[str, Decomposition] = {
    **_linear("upsample_linear1d"),
    **_linear("upsample_bilinear2d"),
    **_linear("upsample_bicubic2d"),
    **_linear("upsample_trilinear3d"),
    **{
        f"aten.upsample_nearest{n}d.{kind}": Decomposition(_of_nearest(False), _rounds_otherwise)
        for n in (1, 2, 3)
        for kind in ("vec", "default")
    },
    **{
        f"aten._upsample_nearest_exact{n}d.{kind}": Decomposition(_of_nearest(True), _is_static)
        for n in (1, 2, 3)
        for kind in ("vec", "default")
    },
}
