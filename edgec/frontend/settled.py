"""Functions that torch's ONNX exporter refuses, drops a part of or computes loosely, in a form that it takes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as functional

from edgec.frontend.attention import attention
from edgec.frontend.function_mode import Function, FunctionMode


class Settled(FunctionMode):
    """While active, the functions of `_FORMS` are computed by the forms given there."""

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """As `FunctionMode` says."""
        return _FORMS.get(function, function)(*args, **kwargs)


def _log_sigmoid(x: torch.Tensor) -> torch.Tensor:
    """min(x, 0) − log(1 + e^−|x|): the exporter takes the logarithm of a sigmoid, which is lost where that is small."""
    return torch.clamp(x, max=0) - torch.log1p(torch.exp(-torch.abs(x)))


def _batch_norm(
    x: torch.Tensor,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> torch.Tensor:
    """By the batch's own statistics where asked for; the exporter takes the running ones all the same."""
    if not training:
        return functional.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    axes = [0, *range(2, x.dim())]
    shape = [1, -1] + [1] * (x.dim() - 2)
    centred = x - x.mean(axes, keepdim=True)
    normal = centred / torch.sqrt((centred * centred).mean(axes, keepdim=True) + eps)
    scaled = normal if weight is None else normal * weight.reshape(shape)
    return scaled if bias is None else scaled + bias.reshape(shape)


def _average_pool(
    plain: Callable[..., torch.Tensor],
    dims: int,
    x: torch.Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> torch.Tensor:
    """With a divisor of its own: the sum of whole windows over zeros, divided by it. The exporter drops the divisor."""
    if divisor_override is None:
        return plain(x, kernel_size, stride, padding, ceil_mode, count_include_pad)
    kernel, pads = _tuple(kernel_size, dims), _tuple(padding, dims)
    strides = kernel if stride is None or stride == [] else _tuple(stride, dims)
    sizes = plain(x, kernel, strides, pads, ceil_mode, count_include_pad).shape[-dims:]
    ends = [
        max((out - 1) * s + k - size - before, 0)
        for out, s, k, size, before in zip(sizes, strides, kernel, x.shape[-dims:], pads, strict=True)
    ]
    around = list(chain.from_iterable(zip(reversed(pads), reversed(ends), strict=True)))
    count = torch.Size(kernel).numel()
    return plain(functional.pad(x, around), kernel, strides) * (count / divisor_override)


def _average_pool_2d(*args: Any, **kwargs: Any) -> torch.Tensor:
    return _average_pool(functional.avg_pool2d, 2, *args, **kwargs)


def _average_pool_3d(*args: Any, **kwargs: Any) -> torch.Tensor:
    return _average_pool(functional.avg_pool3d, 3, *args, **kwargs)


def _distances(x: torch.Tensor, y: torch.Tensor, p: float = 2.0, compute_mode: Any = None) -> torch.Tensor:
    """The norm of every difference of two rows, which the exporter has no form for."""
    norm: torch.Tensor = torch.linalg.vector_norm(x.unsqueeze(-2) - y.unsqueeze(-3), ord=p, dim=-1)
    return norm


def _lstm(x: torch.Tensor, state: Any, weights: Any, *rest: Any) -> Any:
    """An LSTM that projects its output, step by step: ONNX has no such layer, and the exporter does not say so."""
    if isinstance(state, torch.Tensor) or state[0].shape[-1] == state[1].shape[-1]:
        return torch._VF.lstm(x, state, weights, *rest)
    bias, layers, _, _, bidirectional, batch_first = rest
    sequence = x.transpose(0, 1) if batch_first else x
    each = 5 if bias else 3
    directions = 2 if bidirectional else 1
    hidden, cells = [], []
    for layer in range(layers):
        sides = []
        for direction in range(directions):
            i = layer * directions + direction
            steps, h, c = _lstm_direction(
                sequence, state[0][i], state[1][i], weights[i * each : (i + 1) * each], reverse=direction == 1
            )
            sides.append(steps)
            hidden.append(h)
            cells.append(c)
        sequence = torch.cat(sides, -1)
    return sequence.transpose(0, 1) if batch_first else sequence, torch.stack(hidden), torch.stack(cells)


def _lstm_direction(
    sequence: torch.Tensor, h: torch.Tensor, c: torch.Tensor, weights: Any, *, reverse: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One direction of one layer: the outputs in order, and the last states. `weights` end with the projection."""
    into, again, *biases, projection = weights
    steps = [torch.empty(0)] * sequence.shape[0]
    order = range(sequence.shape[0])
    for t in reversed(order) if reverse else order:
        gates = functional.linear(sequence[t], into, *biases[:1]) + functional.linear(h, again, *biases[1:])
        i, f, g, o = gates.chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = functional.linear(torch.sigmoid(o) * torch.tanh(c), projection)
        steps[t] = h
    return torch.stack(steps), h, c


def _norm(x: torch.Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, **more: Any) -> torch.Tensor:
    """Over all dimensions at once the exporter forgets `keepdim`."""
    norm: Any = torch.linalg.norm
    if dim is None and keepdim:
        whole: torch.Tensor = norm(x, ord, **more).reshape((1,) * x.dim())
        return whole
    result: torch.Tensor = norm(x, ord, dim, keepdim, **more)
    return result


def _tuple(value: Any, count: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * count if len(values) == 1 else values


def _tensor(data: Any, *, dtype: torch.dtype | None = None, **kwargs: Any) -> torch.Tensor:
    """A number is filled in by an operator: torch's exported loops inside loops cannot hold constants."""
    if type(data) not in _NUMBERS or kwargs:
        return torch.tensor(data, dtype=dtype, **kwargs)
    return torch.full((), data, dtype=dtype or _NUMBERS[type(data)] or torch.get_default_dtype())


_NUMBERS: dict[type, torch.dtype | None] = {bool: torch.bool, int: torch.int64, float: None}

_FORMS: dict[Callable[..., Any], Callable[..., Any]] = {
    functional.scaled_dot_product_attention: attention,
    functional.logsigmoid: _log_sigmoid,
    functional.batch_norm: _batch_norm,
    functional.avg_pool2d: _average_pool_2d,
    functional.avg_pool3d: _average_pool_3d,
    torch.cdist: _distances,
    torch.linalg.norm: _norm,
    torch._VF.lstm: _lstm,
    torch.tensor: _tensor,
}
"""Each function's form. Inside a form the mode is off, so that a form may call what it stands for."""
