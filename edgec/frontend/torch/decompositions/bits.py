"""Shifts of signed integers; the exporter supports unsigned ones only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition

_LARGEST = 30
"""The exponent of the largest power of two used; it also fits runtimes without 64-bit integers."""


def _shift(apply: Callable[[torch.Tensor, Any], torch.Tensor]) -> Callable[[torch.Tensor, Any], torch.Tensor]:
    """By powers of two that add up to the count, or to the width of the type, beyond which nothing changes."""

    def shift(x: torch.Tensor, count: Any) -> torch.Tensor:
        x = x.to(torch.result_type(x, count))
        for power in _powers(count, x.dtype):
            x = apply(x, power)
        return x

    return shift


def _powers(count: Any, dtype: torch.dtype) -> Iterator[Any]:
    bits = torch.iinfo(dtype).bits
    step = min(_LARGEST, bits - 2 if dtype.is_signed else bits - 1)
    if not isinstance(count, torch.Tensor):
        left = min(max(count, 0), bits)
        while left:
            yield 1 << min(step, left)
            left -= min(step, left)
        return
    places = torch.arange(step + 1, device=count.device)
    table = torch.pow(torch.full_like(places, 2), places)
    for start in range(0, bits, step):
        yield table[torch.clamp(count.to(torch.int64) - start, 0, step)].to(dtype)


_LEFT = Decomposition(_shift(torch.mul))
"""x · 2^count, with wrap-around."""

_RIGHT = Decomposition(_shift(torch.floor_divide))
"""⌊x / 2^count⌋, which keeps the sign."""

BITS: dict[str, Decomposition] = {
    **{f"aten.{n}.{kind}": _LEFT for n in ("__lshift__", "__ilshift__") for kind in ("Tensor", "Scalar")},
    **{f"aten.{n}.{kind}": _RIGHT for n in ("__rshift__", "__irshift__") for kind in ("Tensor", "Scalar")},
    **{f"aten.bitwise_left_shift.{kind}": _LEFT for kind in ("Tensor", "Tensor_Scalar")},
    **{f"aten.bitwise_right_shift.{kind}": _RIGHT for kind in ("Tensor", "Tensor_Scalar")},
}
