"""Integers and booleans where the exporter computes as for floats, or where ONNX has no operator of their type."""

from __future__ import annotations

import math
from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition


def _is_whole(x: Any) -> bool:
    if isinstance(x, torch.Tensor):
        return not x.is_floating_point() and not x.is_complex() and x.dtype != torch.bool
    return isinstance(x, int) and not isinstance(x, bool)


def _are_whole(x: Any, y: Any) -> bool:
    return _is_whole(x) and _is_whole(y)


_BITS = 6
"""The relevant bits of an exponent: any power of 64 or more has overflowed, except of 0, 1 and −1."""


def _power(x: Any, exponent: Any) -> torch.Tensor:
    """By repeated squaring. Negative powers, which ONNX leaves undefined, are zero for all bases except 1 and −1."""
    kind = torch.result_type(x, exponent)
    base, power = (torch.as_tensor(t, dtype=kind) for t in (x, exponent))
    left, square = torch.clamp(power, 0, 2**_BITS - 1), base
    found = torch.ones_like(base * power)
    for bit in range(_BITS):
        half = torch.div(left, 2, rounding_mode="floor")
        found = torch.where(left - 2 * half == 1, found * square, found)
        left, square = half, square * square if bit + 1 < _BITS else square
    odd = power - 2 * torch.div(power, 2, rounding_mode="floor") != 0
    turned = torch.where(odd, base, torch.ones_like(base))
    found = torch.where(torch.abs(base) == 1, turned, found)
    return torch.where((power < 0) & (torch.abs(base) != 1), torch.zeros_like(found), found)


def _wants_signed_power(x: Any, exponent: Any) -> bool:
    signed = isinstance(exponent, torch.Tensor) and exponent.dtype.is_signed
    return signed and _are_whole(x, exponent)


def _angle(x: torch.Tensor) -> torch.Tensor:
    """Zero or π."""
    kind = torch.get_default_dtype()
    return (x < 0).to(kind) * math.pi if x.dtype != torch.bool else torch.zeros(x.shape, dtype=kind, device=x.device)


def _is_not_float(x: torch.Tensor) -> bool:
    return not x.is_floating_point() and not x.is_complex()


def _add_truths(a: torch.Tensor, b: torch.Tensor, *, alpha: Any = 1) -> torch.Tensor:
    """The sum of booleans, where True + True is True."""
    return torch.logical_or(a, b) if alpha else a.expand(torch.logical_or(a, b).shape).clone()


def _are_truths(a: Any, b: Any, **_: Any) -> bool:
    return all(isinstance(x, torch.Tensor) and x.dtype == torch.bool for x in (a, b))


INTEGERS: dict[str, Decomposition] = {
    "aten.add.Tensor": Decomposition(_add_truths, _are_truths),
    "aten.neg.default": Decomposition(lambda x: torch.zeros_like(x) - x, lambda x: x.dtype == torch.uint8),
    "aten.pow.Tensor_Tensor": Decomposition(_power, _wants_signed_power),
    "aten.pow.Scalar": Decomposition(_power, _wants_signed_power),
    "aten.angle.default": Decomposition(_angle, _is_not_float),
}
