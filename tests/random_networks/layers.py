"""Layers in random networks, each drawing its own options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from tests.random_networks.network import Draw, Drawn
from tests.random_networks.registry import layer, operator


@operator
def conv2d(draw: Draw) -> Drawn:
    x = draw.value(4)
    channels, kernel = x.shape[1], draw.one(1, 2, 3, (1, 3), 5)
    groups = draw.one(1, 1, channels)
    stride, dilation, padding = draw.one(1, 1, 2), draw.one(1, 1, 2), draw.one(0, 1, 2)
    out = channels * draw.number(1, 2) if groups == channels else draw.number(1, 8)
    options = {"stride": stride, "dilation": dilation, "padding": padding, "groups": groups}
    mode = draw.one("zeros", "zeros", "reflect", "replicate", "circular")
    return layer("conv2d", x, nn.Conv2d(channels, out, kernel, padding_mode=mode, **options))  # type: ignore[arg-type]


@operator
def conv_transpose2d(draw: Draw) -> Drawn:
    x = draw.value(4)
    stride = draw.number(1, 3)
    extra = draw.number(0, stride - 1)
    made = nn.ConvTranspose2d(x.shape[1], draw.number(1, 6), draw.number(1, 4), stride, draw.number(0, 1), extra)
    return layer("conv_transpose2d", x, made)


@operator
def conv1d(draw: Draw) -> Drawn:
    x = draw.value(3)
    made = nn.Conv1d(x.shape[1], draw.number(1, 8), draw.number(1, 4), draw.number(1, 2), draw.number(0, 2))
    return layer("conv1d", x, made)


@operator
def conv3d(draw: Draw) -> Drawn:
    x = draw.value(5)
    return layer("conv3d", x, nn.Conv3d(x.shape[1], draw.number(1, 4), draw.number(1, 3), padding=draw.number(0, 1)))


@operator
def linear(draw: Draw) -> Drawn:
    x = draw.value()
    return layer("linear", x, nn.Linear(x.shape[-1], draw.number(1, 12), bias=bool(draw.number(0, 1))))


@operator
def matmul(draw: Draw) -> Drawn:
    x = draw.value((3, 4))
    return layer("matmul", x, lambda a, b: a @ b.transpose(-1, -2) / a.shape[-1] ** 0.5, draw.partner(x))


@operator
def einsum(draw: Draw) -> Drawn:
    x = draw.value(3)
    equation = str(draw.one("bij,bkj->bik", "bij,bij->bi", "bij,bik->bjk"))
    return layer("einsum", x, lambda a, b: torch.einsum(equation, a, b) / 4, draw.partner(x))


@operator
def batch_norm(draw: Draw) -> Drawn:
    x = draw.value()
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}[len(x.shape)]
    norm: Any = kind(x.shape[1])
    norm.running_mean.normal_(generator=draw.seeded())
    norm.running_var.uniform_(0.5, 2, generator=draw.seeded())
    return layer("batch_norm", x, norm)


@operator
def layer_norm(draw: Draw) -> Drawn:
    x = draw.value((3, 4))
    return layer("layer_norm", x, nn.LayerNorm(x.shape[draw.number(-2, -1) :]))


@operator
def group_norm(draw: Draw) -> Drawn:
    x = draw.value((3, 4))
    groups = draw.one(1, x.shape[1], *(g for g in (2, 3) if x.shape[1] % g == 0))
    return layer("group_norm", x, nn.GroupNorm(groups, x.shape[1]))  # type: ignore[arg-type]


@operator
def rms_norm(draw: Draw) -> Drawn:
    x = draw.value((2, 3))
    return layer("rms_norm", x, nn.RMSNorm(x.shape[-1], eps=1e-5))


@operator
def attention(draw: Draw) -> Drawn:
    x = draw.value(3, lambda v: v.shape[-1] % 2 == 0)
    scale, causal = draw.one(None, 0.3), bool(draw.number(0, 1))

    def attend(a: torch.Tensor) -> torch.Tensor:
        heads = a.unflatten(-1, (2, -1)).transpose(1, 2)
        return F.scaled_dot_product_attention(heads, heads, heads, is_causal=causal, scale=scale).transpose(1, 2)  # type: ignore[arg-type]

    return layer("attention", x, lambda a: attend(a).flatten(2))


class First(nn.Module):
    """The first of several results of a module."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.module(x)[0]
        return found


@operator
def multihead(draw: Draw) -> Drawn:
    x = draw.value(3, lambda v: v.shape[-1] % 2 == 0)
    module = nn.MultiheadAttention(x.shape[-1], 2, batch_first=True)
    return layer("multihead", x, Three(module))


class Three(nn.Module):
    """Self-attention of a value."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.module(x, x, x, need_weights=False)[0]
        return found


@operator
def recurrence(draw: Draw) -> Drawn:
    x = draw.value(3)
    kind: Any = draw.one(nn.LSTM, nn.GRU, nn.RNN)
    both, layers = bool(draw.number(0, 1)), draw.number(1, 2)
    module = kind(x.shape[-1], draw.number(2, 6), layers, batch_first=True, bidirectional=both)
    return layer(kind.__name__.lower(), x, First(module))


@operator
def pool2d(draw: Draw) -> Drawn:
    x = draw.value(4)
    kernel, stride, padding = draw.number(2, 3), draw.number(1, 3), draw.number(0, 1)
    if draw.number(0, 1):
        ceil, inside = bool(draw.number(0, 1)), bool(draw.number(0, 1))
        return layer("avg_pool2d", x, nn.AvgPool2d(kernel, stride, padding, ceil_mode=ceil, count_include_pad=inside))
    return layer("max_pool2d", x, nn.MaxPool2d(kernel, stride, padding, ceil_mode=bool(draw.number(0, 1))))


@operator
def adaptive_pool(draw: Draw) -> Drawn:
    x = draw.value(4)
    size: Any = (draw.number(1, 4), draw.number(1, 4))
    return layer("adaptive_pool", x, draw.one(nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)(size))  # type: ignore[operator]


@operator
def resize(draw: Draw) -> Drawn:
    x = draw.value(4)
    mode, aligned = str(draw.one("nearest", "bilinear", "bicubic", "nearest-exact")), bool(draw.number(0, 1))
    corners = aligned if mode.startswith("bi") else None
    size = (draw.number(3, 20), draw.number(3, 20))
    return layer(f"resize_{mode}", x, lambda a: F.interpolate(a, size, mode=mode, align_corners=corners))


@operator
def pixel_shuffle(draw: Draw) -> Drawn:
    if draw.number(0, 1):
        x = draw.value(4, lambda v: v.shape[1] % 4 == 0)
        return layer("pixel_shuffle", x, nn.PixelShuffle(2))
    x = draw.value(4, lambda v: v.shape[2] % 2 == 0 and v.shape[3] % 2 == 0)
    return layer("pixel_unshuffle", x, nn.PixelUnshuffle(2))


@operator
def grid_sample(draw: Draw) -> Drawn:
    x = draw.value(4)
    grid = torch.rand(x.shape[0], 5, 6, 2, generator=draw.seeded()) * 2.4 - 1.2
    pad = str(draw.one("zeros", "border", "reflection"))
    return layer("grid_sample", x, lambda a: F.grid_sample(a, grid, padding_mode=pad, align_corners=False))


@operator
def pad(draw: Draw) -> Drawn:
    x = draw.value((3, 4))
    mode = str(draw.one("constant", "reflect", "replicate", "circular"))
    count = 2 * (len(x.shape) - 2)
    sizes = [draw.number(0, 2) for _ in range(count)]
    return layer(f"pad_{mode}", x, lambda a: F.pad(a, sizes, mode=mode))


ACTIVATIONS: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
    F.relu, F.gelu, F.silu, torch.sigmoid, torch.tanh, F.softplus, F.elu, F.hardswish, F.hardsigmoid, F.mish,
    F.leaky_relu, F.relu6, torch.sin, torch.cos, torch.erf, torch.atan, torch.abs, torch.square, F.softsign,
    F.logsigmoid, F.selu, F.celu, F.hardtanh, torch.sign, torch.floor, torch.round, torch.frac,
)  # fmt: skip


@operator
def activation(draw: Draw) -> Drawn:
    function: Any = draw.one(*ACTIVATIONS)
    return layer(getattr(function, "__name__", "activation"), draw.value(), lambda a: function(a))


@operator
def guarded(draw: Draw) -> Drawn:
    """Functions that are defined only for positive numbers, or grow."""
    function: Any = draw.one(torch.log, torch.sqrt, torch.rsqrt, torch.reciprocal, lambda a: a**1.5, torch.log1p)
    if draw.number(0, 2) == 0:
        return layer("exp", draw.value(), lambda a: torch.exp(a.clamp(-3, 3)))
    return layer("guarded", draw.value(), lambda a: function(a.abs() + 0.3))


@operator
def softmax(draw: Draw) -> Drawn:
    x = draw.value()
    axis, function = draw.axis(x), draw.one(torch.softmax, torch.log_softmax)
    return layer("softmax", x, lambda a: function(a, axis))  # type: ignore[operator]
