"""Pooling with an explicit divisor, and adaptive pooling with windows of different sizes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as functional

from edgec.frontend.torch.decompositions.base import Decomposition

Reduce = Callable[..., torch.Tensor]


def _average(plain: Reduce, dims: int) -> Reduce:
    """With an explicit divisor, which the exporter ignores: the zero-padded sum over full windows, divided by it."""

    def pool(
        x: torch.Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> torch.Tensor:
        assert divisor_override is not None
        kernel, pads = _tuple(kernel_size, dims), _tuple(padding, dims)
        strides = kernel if stride is None or len(stride) == 0 else _tuple(stride, dims)
        sizes = plain(x, kernel, strides, pads, ceil_mode, count_include_pad).shape[-dims:]
        ends = [
            max((out - 1) * s + k - size - before, 0)
            for out, s, k, size, before in zip(sizes, strides, kernel, x.shape[-dims:], pads, strict=True)
        ]
        around = list(chain.from_iterable(zip(reversed(pads), reversed(ends), strict=True)))
        count = torch.Size(kernel).numel()
        return plain(functional.pad(x, around), kernel, strides) * (count / divisor_override)

    return pool


def _has_divisor(x: torch.Tensor, *rest: Any, divisor_override: int | None = None, **_: Any) -> bool:
    return divisor_override is not None or (len(rest) > 5 and rest[5] is not None)


def _tuple(value: Any, count: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * count if len(values) == 1 else values


def _adaptive(reduce: Reduce, even: Reduce) -> Callable[[torch.Tensor, Any], torch.Tensor]:
    """Adaptive pooling: `even` if all windows have the same size; otherwise one dimension at a time by slices, window i
    extending from ⌊i·in/out⌋ to ⌈(i + 1)·in/out⌉.
    """

    def pool(x: torch.Tensor, output_size: Any) -> torch.Tensor:
        first = x.dim() - len(output_size)
        sizes = list(zip(range(first, x.dim()), x.shape[first:], output_size, strict=True))
        if all(size % out == 0 for _, size, out in sizes):
            window = [size // out for _, size, out in sizes]
            return even(x, window, window)
        for dim, size, out in sizes:
            if out != size:
                spans = [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]
                x = torch.cat([reduce(x.narrow(dim, a, b - a), [dim], True) for a, b in spans], dim)
        return x

    return pool


def _places(x: torch.Tensor, output_size: Any) -> torch.Tensor:
    """The flat index of each window's maximum in the image. Shorter windows repeat their last element."""
    first, rank = x.dim() - len(output_size), len(output_size)
    number = torch.zeros((1,) * (2 * rank), dtype=torch.int64)
    windows = x
    for i, (size, out) in enumerate(zip(x.shape[first:], output_size, strict=True)):
        longest = max(-(-(k + 1) * size // out) - k * size // out for k in range(out))
        at = torch.arange(out).unsqueeze(1)
        start, end = at * size // out, -(-(at + 1) * size // out)
        table = torch.minimum(start + torch.arange(longest), end - 1)
        axis = first + 2 * i
        chosen = windows.index_select(axis, table.reshape(-1))
        windows = chosen.reshape(*windows.shape[:axis], out, longest, *windows.shape[axis + 1 :])
        shape = [1] * (2 * rank)
        shape[2 * i : 2 * i + 2] = [out, longest]
        number = number * size + table.reshape(shape)
    order = [*range(first), *range(first, windows.dim(), 2), *range(first + 1, windows.dim(), 2)]
    flat = windows.permute(order).flatten(first + rank)
    numbers = number.permute([*range(0, 2 * rank, 2), *range(1, 2 * rank, 2)]).flatten(rank)
    best = torch.argmax(flat, -1, keepdim=True)
    return torch.gather(numbers.expand(flat.shape), -1, best).squeeze(-1)


def _with_places(pool: Callable[[torch.Tensor, Any], torch.Tensor]) -> Any:
    """The maxima and their indices, which are removed if unused."""
    return lambda x, output_size: (pool(x, output_size), _places(x, output_size))


def _is_static(x: torch.Tensor, output_size: Any) -> bool:
    return all(isinstance(s, int) and s > 0 for s in (*x.shape[-len(output_size) :], *output_size))


_MAX = [_adaptive(torch.amax, p) for p in (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)]

POOLING: dict[str, Decomposition] = {
    "aten.avg_pool2d.default": Decomposition(_average(functional.avg_pool2d, 2), _has_divisor),
    "aten.avg_pool3d.default": Decomposition(_average(functional.avg_pool3d, 3), _has_divisor),
    "aten.adaptive_avg_pool3d.default": Decomposition(_adaptive(torch.mean, functional.avg_pool3d), _is_static),
    **{
        f"aten.adaptive_max_pool{i + 1}d.default": Decomposition(_with_places(pool), _is_static)
        for i, pool in enumerate(_MAX)
    },
}
