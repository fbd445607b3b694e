"""Convolutions of volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from edgec.frontend.decompose.base import Decomposition

_DIMS = 3


def _without_bias(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> torch.Tensor:
    """As the general convolution: for this one the exporter makes up a bias of (channels, 2) zeros."""
    steps, pads, spread = (list(v) * _DIMS if len(v) == 1 else list(v) for v in (stride, padding, dilation))
    batch = x if x.dim() == _DIMS + 2 else x.unsqueeze(0)
    result: torch.Tensor = torch.ops.aten.convolution.default(
        batch, weight, None, steps, pads, spread, False, [0] * _DIMS, groups
    )
    return result if batch is x else result.squeeze(0)


def _has_none(x: torch.Tensor, weight: torch.Tensor, bias: Any = None, *rest: Any, **more: Any) -> bool:
    return bias is None


CONVOLUTION: dict[str, Decomposition] = {"aten.conv3d.default": Decomposition(_without_bias, _has_none)}
