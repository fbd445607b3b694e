"""Writing values at indices of the flattened tensor: diagonals, strided views, and flat indices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition


def _static(x: torch.Tensor) -> bool:
    return all(isinstance(size, int) for size in x.shape)


def _are_static(x: torch.Tensor, source: torch.Tensor, *rest: Any, **more: Any) -> bool:
    return _static(x) and _static(source)


def _written(x: torch.Tensor, places: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    flat = x.reshape(-1).scatter(0, places.reshape(-1), source.to(x.dtype).reshape(-1))
    return flat.reshape(x.shape)


def _diagonal_scatter(
    x: torch.Tensor, source: torch.Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> torch.Tensor:
    """`x` with `source` on its diagonal; the flat indices are the diagonal of an index tensor."""
    numbers = torch.arange(x.numel(), device=x.device).reshape(x.shape)
    return _written(x, torch.diagonal(numbers, offset, dim1, dim2), source)


def _diagonal(x: torch.Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> torch.Tensor:
    """By flat indices: the exporter multiplies by a mask, which turns infinities off the diagonal into NaN."""
    x = torch.movedim(x, (dim1, dim2), (-2, -1))
    rows, columns = x.shape[-2:]
    count = min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns)
    first = offset if offset >= 0 else -offset * columns
    places = torch.arange(count, device=x.device) * (columns + 1) + first
    return torch.index_select(x.reshape(*x.shape[:-2], rows * columns), -1, places)


def _has_static_plane(x: torch.Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> bool:
    return not x.is_complex() and all(isinstance(x.shape[d], int) for d in (dim1, dim2))


def _strided_places(
    size: Sequence[int], stride: Sequence[int], offset: int | None, device: torch.device
) -> torch.Tensor:
    """The flat indices of the elements of a strided view, in the shape of the view."""
    places = torch.full((1,) * len(size), offset or 0, dtype=torch.int64, device=device)
    for axis, (count, step) in enumerate(zip(size, stride, strict=True)):
        shape = [1] * len(size)
        shape[axis] = count
        places = places + (torch.arange(count, device=device) * step).reshape(shape)
    return places


def _strided(
    x: torch.Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> torch.Tensor:
    """The view of `size` and `stride` of `x`, which must be contiguous (`functional.views` ensures that)."""
    places = _strided_places(size, stride, storage_offset, x.device).reshape(-1)
    return torch.index_select(x.reshape(-1), 0, places).reshape(list(size))


def _has_static_strides(x: torch.Tensor, size: Sequence[int], stride: Sequence[int], *rest: Any) -> bool:
    return _static(x) and all(isinstance(v, int) for v in (*size, *stride, *rest) if v is not None)


def _strided_scatter(
    x: torch.Tensor, source: torch.Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> torch.Tensor:
    """`x`, which must be contiguous, with `source` written to its view of `size` and `stride`."""
    return _written(x, _strided_places(size, stride, storage_offset, x.device), source)


def _are_strides_apart(
    x: torch.Tensor, source: torch.Tensor, size: Sequence[int], stride: Sequence[int], *rest: Any
) -> bool:
    """Whether no element is written twice, in which case the result would be undefined."""
    if not _has_static_strides(x, size, stride, *rest):
        return False
    reach = 0
    for step, count in sorted((step, count) for step, count in zip(stride, size, strict=True) if count > 1):
        if step <= reach:
            return False
        reach += step * (count - 1)
    return True


def _wrapped(index: torch.Tensor, count: int) -> torch.Tensor:
    """Negative indices count from the end."""
    return torch.where(index < 0, index + count, index).reshape(-1)


def _put(x: torch.Tensor, index: torch.Tensor, source: torch.Tensor, accumulate: bool = False) -> torch.Tensor:
    places, values, flat = _wrapped(index, x.numel()), source.reshape(-1), x.reshape(-1)
    found = flat.scatter_add(0, places, values) if accumulate else flat.scatter(0, places, values)
    return found.reshape(x.shape)


def _take(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return torch.gather(x.reshape(-1), 0, _wrapped(index, x.numel())).reshape(index.shape)


def _scatter_add_number(x: torch.Tensor, dim: int, index: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """For a 0-d tensor, for which the exporter looks up a dimension."""
    return x.reshape(1).scatter_add(0, index.reshape(-1), source.reshape(-1)).reshape(x.shape)


def _is_number(x: torch.Tensor, dim: int, index: torch.Tensor, *rest: Any) -> bool:
    return x.dim() == 0


def _places_of_true(x: torch.Tensor, *, size: int, fill_value: int = -1) -> torch.Tensor:
    """The coordinates (size, dimensions) of the first `size` nonzero elements, padded with `fill_value`.

    Element k is the first at which the running count exceeds k.
    """
    if not x.dim() or not x.numel():
        return torch.full((size, x.dim()), fill_value, dtype=torch.int64, device=x.device)
    counted = torch.cumsum((x.reshape(-1) != 0).to(torch.int64), 0)
    wanted = torch.arange(size, device=x.device)
    flat = torch.searchsorted(counted, wanted, right=True)
    columns = []
    for axis in range(x.dim()):
        inner = math.prod(x.shape[axis + 1 :])
        columns.append(torch.div(flat, inner, rounding_mode="floor") % x.shape[axis])
    places = torch.stack(columns, 1)
    return torch.where((wanted < counted[-1]).unsqueeze(1), places, torch.full_like(places, fill_value))


def _has_static_places(x: torch.Tensor, **_: Any) -> bool:
    return _static(x)


def _repeat_each(
    x: torch.Tensor, repeats: torch.Tensor, dim: int | None = None, *, output_size: int | None = None
) -> torch.Tensor:
    """With a given output length: output k comes from the first element at which the running count exceeds k."""
    assert output_size is not None
    x, axis = (x.reshape(-1), 0) if dim is None else (x, dim)
    counts = repeats.reshape(-1).expand(x.shape[axis]).to(torch.int64)
    place = torch.searchsorted(torch.cumsum(counts, 0), torch.arange(output_size, device=x.device), right=True)
    return torch.index_select(x, axis, place)


def _has_length(x: torch.Tensor, repeats: torch.Tensor, dim: Any = None, *, output_size: Any = None) -> bool:
    return isinstance(output_size, int) and _static(x) and x.dim() > 0


def _masked_scatter(x: torch.Tensor, mask: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """The n-th true position gets the n-th source element, n from a running sum: no size depends on data."""
    x, mask = torch.broadcast_tensors(x, mask)  # type: ignore[no-untyped-call]
    number = torch.cumsum(mask.reshape(-1).to(torch.int32), 0) - 1
    number = torch.clamp(number, 0, source.numel() - 1).to(torch.int64)
    return torch.where(mask, torch.index_select(source.reshape(-1), 0, number).reshape(x.shape), x)


def _has_sources(x: torch.Tensor, mask: torch.Tensor, source: torch.Tensor) -> bool:
    return all(map(_static, (x, mask, source))) and source.numel() > 0 and not source.is_complex()


PLACING: dict[str, Decomposition] = {
    "aten.diagonal.default": Decomposition(_diagonal, _has_static_plane),
    "aten.diagonal_copy.default": Decomposition(_diagonal, _has_static_plane),
    "aten.trace.default": Decomposition(lambda x: _diagonal(x).sum(), _has_static_plane),
    "aten.diagonal_scatter.default": Decomposition(_diagonal_scatter, _are_static),
    "aten.as_strided.default": Decomposition(_strided),
    "aten.as_strided_scatter.default": Decomposition(_strided_scatter, _are_strides_apart),
    "aten.masked_scatter.default": Decomposition(_masked_scatter, _has_sources),
    "aten.put.default": Decomposition(_put, lambda x, *_: _static(x)),
    "aten.take.default": Decomposition(_take, lambda x, *_: _static(x)),
    "aten.scatter_add.default": Decomposition(_scatter_add_number, _is_number),
    "aten.nonzero_static.default": Decomposition(_places_of_true, _has_static_places),
    "aten.repeat_interleave.self_Tensor": Decomposition(_repeat_each, _has_length),
}
