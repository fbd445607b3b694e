"""`x[i]` where i is a tensor without dimensions: Python would ask for its number, a graph keeps it."""

from __future__ import annotations

from typing import Any

import torch

Key = Any


def get_item(x: torch.Tensor, key: Key) -> torch.Tensor:
    """`x[key]`; a position that is computed gathers."""
    found = _computed(x, key)
    if found is None:
        return x[key]
    view, dim, position = found
    return view[_along(dim, position.reshape(1))].squeeze(dim)


def set_item(x: torch.Tensor, key: Key, value: Any) -> None:
    """`x[key] = value`; a position that is computed scatters."""
    found = _computed(x, key)
    if found is None:
        x[key] = value
        return
    view, dim, position = found
    shape = [size for d, size in enumerate(view.shape) if d != dim]
    content = value.to(x.dtype) if isinstance(value, torch.Tensor) else torch.full((), value, dtype=x.dtype)
    view[_along(dim, position.reshape(1))] = content.expand(shape).unsqueeze(dim)


def _computed(x: torch.Tensor, key: Key) -> tuple[torch.Tensor, int, torch.Tensor] | None:
    """The view that the rest of the key selects, the dimension and the position; None where torch's own way will do."""
    keys = key if isinstance(key, tuple) else (key,)
    positions = [k for k in keys if _is_position(k)]
    if len(positions) != 1 or not all(_is_position(k) or isinstance(k, int | slice) for k in keys):
        return None
    view, dim, place = x, 0, 0
    for k in keys:
        if isinstance(k, int):
            view = view.select(dim, k)
            continue
        if isinstance(k, slice):
            view = view[_along(dim, k)]
        else:
            place = dim
        dim += 1
    return view, place, positions[0]


def _along(dim: int, key: slice | torch.Tensor) -> tuple[slice | torch.Tensor, ...]:
    """A key for one dimension, all of those before it."""
    return (*(slice(None) for _ in range(dim)), key)


def _is_position(key: Key) -> bool:
    whole = isinstance(key, torch.Tensor) and key.dim() == 0
    return whole and key.dtype != torch.bool and not key.is_floating_point()
