"""Fake quantization to ranges without an ONNX element type, such as four bits."""

from __future__ import annotations

from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition

_TYPED = {(0, 255), (-128, 127), (0, 127)}
"""The ranges that the exporter supports."""


def _whole(x: torch.Tensor, scale: Any, zero_point: Any, low: int, high: int) -> torch.Tensor:
    """(clamp(round(x / s) + z, low, high) − z) s."""
    steps = torch.clamp(torch.round(x * (1.0 / scale)) + zero_point, low, high)
    found: torch.Tensor = (steps - zero_point) * scale
    return found


def _by_channel(
    x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, axis: int, low: int, high: int
) -> torch.Tensor:
    shape = [1] * x.dim()
    shape[axis] = -1
    return _whole(x, scale.reshape(shape), zero_point.reshape(shape).to(x.dtype), low, high)


def _is_untyped(*args: Any) -> bool:
    return tuple(args[-2:]) not in _TYPED


QUANTIZATION: dict[str, Decomposition] = {
    "aten.fake_quantize_per_tensor_affine.default": Decomposition(_whole, _is_untyped),
    "aten.fake_quantize_per_tensor_affine.tensor_qparams": Decomposition(_whole, _is_untyped),
    "aten.fake_quantize_per_channel_affine.default": Decomposition(_by_channel, _is_untyped),
}
