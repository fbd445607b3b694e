"""`x[i]`, and writes to `x[i:j]`, where i and j are 0-d tensors: Python would convert them to numbers, a graph keeps
them as tensors.
"""

from __future__ import annotations

from typing import Any

import torch

Key = Any


def get_item(x: torch.Tensor, key: Key) -> torch.Tensor:
    """`x[key]`; a computed index becomes a gather."""
    found = _computed(x, key)
    if found is None:
        return x[key]
    view, dim, position = found
    return view[_along(dim, position.reshape(1))].squeeze(dim)


def set_item(x: torch.Tensor, key: Key, value: Any) -> None:
    """`x[key] = value`; a computed index becomes a scatter, computed bounds a selection by position."""
    bounded = _bounded(x, key)
    if bounded is not None:
        _fill(*bounded, value)
        return
    found = _computed(x, key)
    if found is None:
        x[key] = value
        return
    view, dim, position = found
    shape = [size for d, size in enumerate(view.shape) if d != dim]
    content = value.to(x.dtype) if isinstance(value, torch.Tensor) else torch.full((), value, dtype=x.dtype)
    view[_along(dim, position.reshape(1))] = content.expand(shape).unsqueeze(dim)


def _computed(x: torch.Tensor, key: Key) -> tuple[torch.Tensor, int, torch.Tensor] | None:
    """The view selected by the rest of the key, the dimension and the index; None if torch can handle the key."""
    keys = _keys(x, key)
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


def _keys(x: torch.Tensor, key: Key) -> tuple[Any, ...]:
    """The keys for each dimension, with `...` expanded to full slices."""
    keys = key if isinstance(key, tuple) else (key,)
    places = [i for i, k in enumerate(keys) if k is Ellipsis]
    if len(places) != 1 or any(k is None or (isinstance(k, torch.Tensor) and k.dim()) for k in keys):
        return keys
    missing = x.dim() - (len(keys) - 1)
    return (*keys[: places[0]], *[slice(None)] * missing, *keys[places[0] + 1 :])


def _bounded(x: torch.Tensor, key: Key) -> tuple[torch.Tensor, int, slice] | None:
    """The view selected by the rest of the key, the dimension and the slice; None if its bounds are numbers."""
    keys = _keys(x, key)
    found = [k for k in keys if isinstance(k, slice) and (_is_position(k.start) or _is_position(k.stop))]
    if len(found) != 1 or found[0].step not in (None, 1) or not all(isinstance(k, int | slice) for k in keys):
        return None
    view, dim, place = x, 0, 0
    for k in keys:
        if isinstance(k, int):
            view = view.select(dim, k)
            continue
        if k is found[0]:
            place = dim
        else:
            view = view[_along(dim, k)]
        dim += 1
    return view, place, found[0]


def _fill(view: torch.Tensor, dim: int, bounds: slice, value: Any) -> None:
    """Write to the positions from start to stop. A value of several entries is placed consecutively from the start."""
    size = view.shape[dim]
    start, stop = (_from_start(b, size) for b in (0 if bounds.start is None else bounds.start, bounds.stop))
    places = torch.arange(size, device=view.device)
    inside = places >= start if stop is None else torch.logical_and(places >= start, places < stop)
    content = value.to(view.dtype) if isinstance(value, torch.Tensor) else torch.full((), value, dtype=view.dtype)
    behind = view.dim() - dim
    if content.dim() >= behind and content.shape[-behind] != 1:
        along = content.dim() - behind
        content = content.index_select(along, torch.clamp(places - start, 0, content.shape[along] - 1))
    mask = inside.reshape([size, *[1] * (behind - 1)])
    view.copy_(torch.where(mask, content, view))


def _from_start(bound: Any, size: Any) -> Any:
    """Negative bounds count from the end, as in Python."""
    if isinstance(bound, torch.Tensor):
        return torch.where(bound < 0, torch.clamp(bound + size, min=0), bound)
    return max(bound + size, 0) if bound is not None and bound < 0 else bound


def _along(dim: int, key: slice | torch.Tensor) -> tuple[slice | torch.Tensor, ...]:
    """A key for one dimension, with full slices before it."""
    return (*(slice(None) for _ in range(dim)), key)


def _is_position(key: Key) -> bool:
    whole = isinstance(key, torch.Tensor) and key.dim() == 0
    return whole and key.dtype != torch.bool and not key.is_floating_point()
