"""Anti-aliased resizing where the exporter is wrong, and sampling of volumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition

_LINEAR, _CUBIC = 2, 4
"""The width of the filters in samples."""


def _filter(t: torch.Tensor, width: int) -> torch.Tensor:
    """The triangle filter, or Keys' cubic with a = −1/2, at distances t."""
    t = torch.abs(t)
    if width == _LINEAR:
        return torch.clamp(1 - t, min=0)
    near = (1.5 * t - 2.5) * t * t + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return torch.where(t < 1, near, torch.where(t < 2, far, torch.zeros_like(t)))


def _weights(size: int, out: int, scale: float, width: int) -> torch.Tensor:
    """The matrix (out, size) of an anti-aliased resize along one dimension, as in aten's `UpSampleKernel.cpp`: aligned
    corners affect only the scale, not the sample centres.
    """
    support = width / 2 * max(scale, 1.0)
    centre = scale * (torch.arange(out, dtype=torch.float64) + 0.5)
    low = torch.clamp(torch.floor(centre - support + 0.5), min=0)
    high = torch.clamp(torch.floor(centre + support + 0.5), max=float(size))
    position = torch.arange(size, dtype=torch.float64)
    inside = (position >= low.unsqueeze(1)) & (position < high.unsqueeze(1))
    raw = _filter((position + 0.5 - centre.unsqueeze(1)) / max(scale, 1.0), width)
    raw = torch.where(inside, raw, torch.zeros_like(raw))
    return (raw / raw.sum(1, keepdim=True)).to(torch.float32)


def _scale(size: int, out: int, align: bool, factor: float | None) -> float:
    """Input samples per output sample."""
    if align:
        return (size - 1) / (out - 1) if out > 1 else 0.0
    return 1 / factor if factor else size / out


def _resize(x: torch.Tensor, sizes: Sequence[int], align: bool, factors: Sequence[Any], width: int) -> torch.Tensor:
    height, breadth = (
        _weights(size, out, _scale(size, out, align, factor), width)
        for size, out, factor in zip(x.shape[-2:], sizes, factors, strict=True)
    )
    return torch.matmul(torch.matmul(height, x), breadth.transpose(0, 1))


def _by_factors(width: int) -> Callable[..., torch.Tensor]:
    def resize(x: torch.Tensor, sizes: Any, align: bool, factors: Any = None) -> torch.Tensor:
        if sizes is None:
            sizes = [int(size * f) for size, f in zip(x.shape[-2:], factors, strict=True)]
        return _resize(x, sizes, align, factors or (None, None), width)

    return resize


def _by_sizes(width: int) -> Callable[..., torch.Tensor]:
    def resize(x: torch.Tensor, sizes: Any, align: bool, height: Any = None, breadth: Any = None) -> torch.Tensor:
        return _resize(x, sizes, align, (height, breadth), width)

    return resize


def _is_odd(x: torch.Tensor, sizes: Any, align: bool, *factors: Any) -> bool:
    """Whether corners are aligned, or a factor is not the ratio of the sizes; the exporter ignores both."""
    return (align or any(f is not None for f in factors)) and all(isinstance(s, int) for s in x.shape[-2:])


def _sample_volume(x: torch.Tensor, grid: torch.Tensor, mode: int, padding: int, align: bool) -> torch.Tensor:
    """`grid_sample` of (N, C, D, H, W) at (N, d, h, w, 3): from the eight surrounding samples, or the nearest one.

    `mode` is 0 (linear) or 1 (nearest); `padding` 0 (zeros), 1 (border) or 2 (reflection).
    """
    sizes = x.shape[:1:-1]  # the grid's last dimension counts W, H, D
    places = [_place(grid[..., i], size, padding, align) for i, size in enumerate(sizes)]
    if mode == 1:
        return _corner(x, [torch.round(p) for p in places], sizes)
    floors = [torch.floor(p) for p in places]
    total = torch.zeros(())
    for bits in range(8):
        upper = [bits >> i & 1 for i in range(3)]
        weight = torch.ones(())
        for p, low, up in zip(places, floors, upper, strict=True):
            weight = weight * (p - low if up else low + 1 - p)
        corner = _corner(x, [low + up for low, up in zip(floors, upper, strict=True)], sizes)
        total = total + corner * weight.unsqueeze(1)
    return total


def _place(at: torch.Tensor, size: int, padding: int, align: bool) -> torch.Tensor:
    """Converts −1 … 1 to sample coordinates, and moves those outside according to `padding`."""
    at = (at + 1) / 2 * (size - 1) if align else ((at + 1) * size - 1) / 2
    if padding == 2:
        low, span = (0.0, size - 1.0) if align else (-0.5, float(size))
        if span:
            far = torch.abs(at - low)
            turns = torch.floor(far / span)
            rest = far - turns * span
            at = torch.where(turns - 2 * torch.floor(turns / 2) == 0, rest, span - rest) + low
        else:
            at = torch.zeros_like(at)
    return torch.clamp(at, 0, size - 1) if padding else at


def _corner(x: torch.Tensor, at: Sequence[torch.Tensor], sizes: Sequence[int]) -> torch.Tensor:
    """The samples at integer coordinates (N, d, h, w) of each dimension; zero outside."""
    n, c = x.shape[:2]
    inside = torch.ones(())
    index = torch.zeros(())
    for p, size, stride in zip(at, sizes, (1, sizes[0], sizes[0] * sizes[1]), strict=True):
        inside = inside * ((p >= 0) & (p <= size - 1)).to(x.dtype)
        index = index + torch.clamp(p, 0, size - 1).to(torch.int64) * stride
    flat = index.to(torch.int64).reshape(n, 1, -1).expand(n, c, -1)
    found = torch.gather(x.reshape(n, c, -1), 2, flat).reshape(n, c, *at[0].shape[1:])
    return found * inside.unsqueeze(1)


def _is_volume(x: torch.Tensor, grid: torch.Tensor, mode: int, *rest: Any) -> bool:
    return x.dim() == 5 and mode < 2 and all(isinstance(s, int) for s in x.shape[2:])


RESAMPLE: dict[str, Decomposition] = {
    "aten._upsample_bilinear2d_aa.vec": Decomposition(_by_factors(_LINEAR), _is_odd),
    "aten._upsample_bilinear2d_aa.default": Decomposition(_by_sizes(_LINEAR), _is_odd),
    "aten._upsample_bicubic2d_aa.vec": Decomposition(_by_factors(_CUBIC), _is_odd),
    "aten._upsample_bicubic2d_aa.default": Decomposition(_by_sizes(_CUBIC), _is_odd),
    "aten.grid_sampler.default": Decomposition(_sample_volume, _is_volume),
    "aten.grid_sampler_3d.default": Decomposition(_sample_volume, _is_volume),
}
