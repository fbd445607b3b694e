"""Functions that torch cannot trace as they are written, replaced by equivalents that it can trace.

Functions that can be traced but are translated badly are decomposed later: `edgec.frontend.torch.decompositions`.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as functional
from torch.utils import _pytree as pytree

from edgec.diag import error
from edgec.frontend.torch.autograph.operators import open_sequences
from edgec.frontend.torch.autograph.operators.symbolic_numbers import as_number
from edgec.frontend.torch.overrides.attention import attention
from edgec.frontend.torch.overrides.covariance import corrcoef, cov
from edgec.frontend.torch.overrides.embedding_bag import embedding_bag
from edgec.frontend.torch.overrides.function_mode import Function, FunctionMode
from edgec.frontend.torch.overrides.inverse_stft import istft
from edgec.frontend.torch.overrides.packed_sequences import long_short, pack, plain, unpack
from edgec.frontend.torch.overrides.recurrent import of_any_length
from edgec.frontend.torch.overrides.scalar_indices import get_item, set_item


class Overrides(FunctionMode):
    """While active, calls of the functions in `_REPLACEMENTS` are replaced."""

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `FunctionMode`."""
        return _REPLACEMENTS.get(function, function)(*args, **kwargs)


def _gaussian_likelihood(
    x: torch.Tensor,
    target: torch.Tensor,
    var: torch.Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> torch.Tensor:
    """½ (log σ² + (x − t)² / σ²) without torch's check for negative variances, which depends on data."""
    spread = torch.clamp(torch.as_tensor(var, dtype=x.dtype), min=eps)
    if spread.dim() and spread.dim() == x.dim() - 1:
        spread = spread.unsqueeze(-1)
    loss = 0.5 * (torch.log(spread) + (x - target) ** 2 / spread) + (0.5 * math.log(2 * math.pi) if full else 0.0)
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


def _tensor(data: Any, *, dtype: torch.dtype | None = None, device: Any = None, **kwargs: Any) -> torch.Tensor:
    """A number is created by an operator: torch's exported nested loops cannot contain constants."""
    if (
        isinstance(data, list | tuple)
        and not kwargs
        and any(isinstance(v, torch.Tensor) for v in pytree.tree_leaves(data))
    ):
        return _stacked(data, dtype)
    if type(data) not in _NUMBERS or kwargs:
        return torch.tensor(data, dtype=dtype, device=device, **kwargs)
    return torch.full((), data, dtype=dtype or _NUMBERS[type(data)] or torch.get_default_dtype(), device=device)


def _stacked(data: Any, dtype: torch.dtype | None) -> torch.Tensor:
    """`torch.tensor([x.max().item(), 0.5])`, where 0-d tensors represent numbers."""
    if isinstance(data, list | tuple):
        parts = [_stacked(part, dtype) for part in data]
        kind = functools.reduce(torch.promote_types, (part.dtype for part in parts))
        return torch.stack([part.to(kind) for part in parts])
    if not isinstance(data, torch.Tensor):
        return _tensor(data, dtype=dtype)
    return data if dtype is None else data.to(dtype)


def _as_tensor(data: Any, *, dtype: torch.dtype | None = None, device: Any = None) -> torch.Tensor:
    """Like `_tensor`, except that a tensor is returned as it is."""
    if isinstance(data, list | tuple):
        return _tensor(data, dtype=dtype, device=device)
    return torch.as_tensor(data, dtype=dtype, device=device)


def _new_tensor(like: torch.Tensor, data: Any, *, dtype: torch.dtype | None = None, **kwargs: Any) -> torch.Tensor:
    """`like.new_tensor([x.max().item(), 0.5])`."""
    if isinstance(data, list | tuple) and not kwargs:
        return _tensor(data, dtype=dtype or like.dtype)
    return like.new_tensor(data, dtype=dtype, **kwargs)


_NUMBERS: dict[type, torch.dtype | None] = {bool: torch.bool, int: torch.int64, float: None}


def _floor_divide(a: Any, b: Any) -> torch.Tensor:
    """A number divided by a tensor: the exporter queries the element type of both."""
    return torch.floor_divide(a if isinstance(a, torch.Tensor) else torch.full((), a, dtype=b.dtype), b)


def _reflected(operation: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[..., torch.Tensor]:
    """An operator with a number on the left and a tensor on the right."""

    def replacement(divisor: torch.Tensor, number: Any) -> torch.Tensor:
        whole = not isinstance(number, torch.Tensor) and type(number) is int and not divisor.is_floating_point()
        if not whole:
            return operation(torch.as_tensor(number), divisor)
        return operation(torch.full((), number, dtype=divisor.dtype), divisor)

    return replacement


def _allclose(
    a: torch.Tensor, b: torch.Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> torch.Tensor:
    """As a tensor, on which a branch may depend."""
    return torch.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan).all()


def _equal(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor | bool:
    """Like `_allclose`; tensors of different shapes are never equal."""
    return torch.eq(a, b).all() if a.shape == b.shape else False


def _narrow(x: torch.Tensor, dim: int, start: Any, length: int) -> torch.Tensor:
    """From a data-dependent start, as a gather."""
    if not isinstance(start, torch.Tensor):
        return torch.narrow(x, dim, start, length)
    first = torch.where(start < 0, start + x.shape[dim], start)
    return torch.index_select(x, dim, first.reshape(1) + torch.arange(length, device=x.device))


def _combinations(x: torch.Tensor, r: int = 2, with_replacement: bool = False) -> torch.Tensor:
    """The combinations of `r` indices are computed from the size; torch masks all pairs."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = torch.tensor(list(choose(range(x.shape[0]), r)), dtype=torch.int64).reshape(-1, r)
    return torch.index_select(x, 0, places.reshape(-1)).reshape(places.shape) if r else x.new_zeros(0)


def _hamming(
    length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *, dtype: Any = None, **more: Any
) -> torch.Tensor:
    """α − β cos(2πn / N): ONNX's own operator has 25/46 and 21/46, torch has 0.54 and 0.46."""
    if length < 2:
        return torch.ones(length, dtype=dtype or torch.get_default_dtype())
    n = torch.arange(length, dtype=dtype or torch.get_default_dtype())
    return alpha - beta * torch.cos(n * (2 * math.pi / (length if periodic else length - 1)))


def _gradient(*args: Any, **kwargs: Any) -> Any:
    raise error(
        "E0202",
        "the model computes a gradient inside its forward",
        notes=["`torch.autograd.grad` cannot be exported", "rejected by `gradient`"],
        help=["write the derivative as a formula"],
    )


def _roll(x: torch.Tensor, shifts: Any, dims: Any = None) -> torch.Tensor:
    """By a data-dependent shift, as a gather."""
    shifts = as_number(shifts)
    if not isinstance(shifts, torch.Tensor):
        return torch.roll(x, shifts) if dims is None else torch.roll(x, shifts, dims)
    if dims is None:
        return _roll(x.reshape(-1), shifts, 0).reshape(x.shape)
    (dim,) = dims if isinstance(dims, tuple | list) else (dims,)
    size = x.shape[dim]
    return x.index_select(dim, torch.remainder(torch.arange(size) - shifts.reshape(()), size))


def _iterated(x: torch.Tensor) -> Any:
    """`for row in x`."""
    return iter(open_sequences.unbind(x) if x.dim() else x)


def _set_data(x: torch.Tensor, value: torch.Tensor) -> None:
    """`x.data = y`, which torch's trace ignores: copied from a tensor of the same shape and type."""
    if value.shape != x.shape or value.dtype != x.dtype:
        raise error(
            "E0202",
            "an assignment to `.data` changes the shape or type of a tensor",
            notes=["rejected by `data-of-another-shape-or-type`"],
            help=["rebind the name: `self.h = y`"],
        )
    x.copy_(value)


_REPLACEMENTS: dict[Callable[..., Any], Callable[..., Any]] = {
    functional.scaled_dot_product_attention: attention,
    functional.embedding_bag: embedding_bag,
    functional.gaussian_nll_loss: _gaussian_likelihood,
    torch.hamming_window: _hamming,
    torch.autograd.grad: _gradient,
    torch._VF._pack_padded_sequence: pack,
    torch._VF._pad_packed_sequence: unpack,
    torch._VF.lstm: long_short(of_any_length(torch._VF.lstm)),
    **{f: plain(of_any_length(f)) for f in (torch._VF.gru, torch._VF.rnn_tanh, torch._VF.rnn_relu)},
    torch.istft: istft,
    torch.Tensor.istft: istft,
    torch.allclose: _allclose,
    torch.Tensor.allclose: _allclose,
    torch.equal: _equal,
    torch.Tensor.equal: _equal,
    torch.cov: cov,
    torch.Tensor.cov: cov,
    torch.corrcoef: corrcoef,
    torch.Tensor.corrcoef: corrcoef,
    torch.combinations: _combinations,
    **dict.fromkeys((torch.stack,), open_sequences.stack),
    **dict.fromkeys((torch.cat, torch.concat, torch.concatenate), open_sequences.cat),
    **dict.fromkeys((torch.unbind, torch.Tensor.unbind), open_sequences.unbind),
    torch.Tensor.__iter__: _iterated,
    torch.narrow: _narrow,
    torch.Tensor.narrow: _narrow,
    torch.tensor: _tensor,
    torch.as_tensor: _as_tensor,
    torch.Tensor.new_tensor: _new_tensor,
    torch.Tensor.data.__get__: torch.Tensor.detach,  # type: ignore[attr-defined]
    torch.Tensor.data.__set__: _set_data,  # type: ignore[attr-defined]
    torch.roll: _roll,
    torch.Tensor.roll: _roll,
    torch.floor_divide: _floor_divide,
    torch.Tensor.__rfloordiv__: _reflected(_floor_divide),
    torch.Tensor.__rmod__: _reflected(torch.remainder),
    torch.Tensor.__getitem__: get_item,
    torch.Tensor.__setitem__: set_item,
}
"""The replacement of each function. Inside a replacement the mode is inactive, so it may call the original."""
