"""Arguments with which a function cannot fail, for the side of a branch that is computed although it is not taken.

They differ from the original arguments only where torch itself would have raised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

import torch
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

Arguments = tuple[tuple[Any, ...], dict[str, Any]]

_ALONG = {
    "gather": "GatherElements",
    "index_select": "Gather",
    **dict.fromkeys(("scatter", "scatter_add", "scatter_reduce"), "ScatterElements"),
    **dict.fromkeys(("index_add", "index_copy", "index_fill"), "ScatterND"),
}
"""Functions of (data, dim, index, …), including in-place ones, whose indices are not negative."""

_LOSSES = dict.fromkeys(("cross_entropy", "nll_loss"), "GatherElements")
"""Functions of (scores, class indices, …)."""

_KEYED = {
    **dict.fromkeys(("__getitem__", "index"), "GatherND"),
    **dict.fromkeys(("__setitem__", "index_put"), "ScatterND"),
    **dict.fromkeys(("take", "embedding"), "Gather"),
    "put": "ScatterElements",
}
"""Functions that index a tensor, each with its own signature."""

_DIVISIONS = {
    **dict.fromkeys(("floor_divide", "__floordiv__", "div", "__ifloordiv__"), "Div"),
    **dict.fromkeys(("remainder", "__mod__", "fmod", "__imod__"), "Mod"),
}

_REFLECTED = {"__rfloordiv__": "Div", "__rmod__": "Mod"}
"""Divisions whose first argument is the divisor."""

STANDS_FOR = {**_ALONG, **_LOSSES, **_KEYED, **_DIVISIONS, **_REFLECTED}
"""The operator of `HAZARDS` that each function becomes; covers all of them that can fail."""


def with_safe_operands(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    """The arguments with indices clamped into range, no integer division by zero, and no empty reductions."""
    name = getattr(function, "__name__", "").split(".")[0]
    if name.rstrip("_") in _ALONG and args:
        return _along(args, kwargs)
    if name in _LOSSES and args:
        return _of_classes(args, kwargs)
    return (_positional(function, name, args), kwargs) if len(args) > 1 else (args, kwargs)


def _positional(function: Callable[..., Any], name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    if name == "__getitem__":
        data = _filled_up(args[0], args[1])
        return (data, _clamped_key(data, args[1]))
    if name == "__setitem__":
        return _with(args, 1, _clamped_key(args[0], args[1]))
    if name.rstrip("_") in ("index", "index_put") and isinstance(args[1], list | tuple):
        return _with(args, 1, list(_clamped_key(args[0], tuple(slice(None) if k is None else k for k in args[1]))))
    if name in ("take", "put", "put_") and _is_integer(args[1]):
        return _with(args, 1, _clamp(args[1], args[0].numel()))
    if name == "embedding":
        table, where = (1, 0) if function is torch.nn.functional.embedding else (0, 1)
        return _with(args, where, _clamp(args[where], args[table].shape[0]))
    divisor = 0 if name in _REFLECTED else 1
    if name in (*_DIVISIONS, *_REFLECTED) and _is_integer(args[divisor]) and not _is_float(args[1 - divisor]):
        by = args[divisor]
        return _with(args, divisor, torch.where(by == 0, torch.ones_like(by), by))
    return args


def _along(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    index = args[2] if len(args) > 2 else kwargs.get("index")
    if not isinstance(dim, int) or not _is_integer(index) or not args[0].dim():
        return args, kwargs
    index = _clamp(index, args[0].shape[dim], 0)
    return (_with(args, 2, index), kwargs) if len(args) > 2 else (args, {**kwargs, "index": index})


def _of_classes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    """Classes in range, but for the one that is ignored."""
    target = args[1] if len(args) > 1 else kwargs.get("target")
    if not _is_integer(target):
        return args, kwargs
    ignored = kwargs.get("ignore_index", -100)
    inside = _clamp(target, args[0].shape[1 if args[0].dim() > 1 else 0], 0)
    target = torch.where(target == ignored, target, inside)
    return (_with(args, 1, target), kwargs) if len(args) > 1 else (args, {**kwargs, "target": target})


def _filled_up(data: torch.Tensor, key: Any) -> torch.Tensor:
    """`data[2]` has an element where data decide how many there are: zeros behind them, or before them for `[-1]`."""
    keys = key if isinstance(key, tuple) else (key,)
    if any(k is Ellipsis or k is None or isinstance(k, torch.Tensor) for k in keys):
        return data
    for dim, place in enumerate(keys):
        if type(place) is not int or not free_unbacked_symbols(data.shape[dim]):
            continue
        count = place + 1 if place >= 0 else -place
        zeros = data.new_zeros([count if d == dim else size for d, size in enumerate(data.shape)])
        data = torch.cat([data, zeros] if place >= 0 else [zeros, data], dim)
    return data


def _is_integer(value: Any) -> TypeGuard[torch.Tensor]:
    return isinstance(value, torch.Tensor) and not value.is_floating_point() and value.dtype != torch.bool


def _is_float(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, torch.Tensor) and value.is_floating_point())


def _with(args: tuple[Any, ...], position: int, value: Any) -> tuple[Any, ...]:
    return (*args[:position], value, *args[position + 1 :])


def _clamp(index: torch.Tensor, size: int, least: int | None = None) -> torch.Tensor:
    return index.clamp(-size if least is None else least, size - 1)


def _clamped_key(data: torch.Tensor, key: Any) -> Any:
    """The key of `data[key]` with its integer tensors clamped to the dimension that each indexes."""
    keys = key if isinstance(key, tuple) else (key,)
    takes = [0 if k is None or k is Ellipsis else (k.dim() if _is_mask(k) else 1) for k in keys]
    dim, clamped = 0, []
    for i, (k, count) in enumerate(zip(keys, takes, strict=True)):
        if k is Ellipsis:
            dim = data.dim() - sum(takes[i + 1 :])
        clamped.append(_clamp(k, data.shape[dim]) if _is_integer(k) else k)
        dim += count
    return tuple(clamped) if isinstance(key, tuple) else clamped[0]


def _is_mask(key: Any) -> bool:
    return isinstance(key, torch.Tensor) and key.dtype == torch.bool
