"""Three-dimensional convolutions, and transposed convolutions of a single sample without a batch dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition

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
    """As the general convolution: the exporter adds a bias of (channels, 2) zeros to this one."""
    steps, pads, spread = (list(v) * _DIMS if len(v) == 1 else list(v) for v in (stride, padding, dilation))
    batch = x if x.dim() == _DIMS + 2 else x.unsqueeze(0)
    result: torch.Tensor = torch.ops.aten.convolution.default(
        batch, weight, None, steps, pads, spread, False, [0] * _DIMS, groups
    )
    return result if batch is x else result.squeeze(0)


def _has_none(x: torch.Tensor, weight: torch.Tensor, bias: Any = None, *rest: Any, **more: Any) -> bool:
    return bias is None


def _one_sample(operator: Any) -> Decomposition:
    """As a batch of one: the exporter supports transposed convolutions only with a batch dimension."""

    def compute(x: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
        found: torch.Tensor = operator(x.unsqueeze(0), *rest, **more)
        return found.squeeze(0)

    return Decomposition(compute, lambda x, weight, *rest, **more: x.dim() < weight.dim())


CONVOLUTION: dict[str, Decomposition] = {
    "aten.conv3d.default": Decomposition(_without_bias, _has_none),
    "aten.conv_transpose1d.default": _one_sample(torch.ops.aten.conv_transpose1d.default),
    "aten.conv_transpose2d.input": _one_sample(torch.ops.aten.conv_transpose2d.input),
    "aten.conv_transpose3d.input": _one_sample(torch.ops.aten.conv_transpose3d.input),
}
