"""What keeps the side of a branch that is not taken from being felt."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch

from edgec.diag import error
from edgec.frontend.control_flow.merge import Site
from edgec.frontend.function_mode import Function, FunctionMode

_INDEXED = ("gather", "index_select")
"""Functions of (data, dim, index)."""

_DIVISIONS = ("floor_divide", "__floordiv__", "remainder", "__mod__", "fmod", "div")

_REFLECTED = ("__rfloordiv__", "__rmod__")
"""Divisions that are given the divisor first."""

_IN_PLACE_DUNDERS = {"__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__ifloordiv__", "__ipow__"}


class Guard(FunctionMode):
    """Active while one side of a branch is traced. `taken` says, in the graph, whether that side is taken.

    Both sides are computed and one is selected, so NaN and infinity on the other side are dropped by the selection.
    What would *fail* there is made harmless: indices are clamped into range and integer divisors of zero replaced by
    one, neither of which changes a side that is taken, since it would have raised. A loop there, which might never
    come to an end, runs no step. A change in place of a tensor from outside the branch is refused, unless the side is
    the `whole` rest of the model, traced for itself.
    """

    _open: ClassVar[list[Guard]] = []
    _in_loop: ClassVar[bool] = False

    def __init__(self, site: Site, own: Sequence[torch.Tensor], taken: torch.Tensor, *, whole: bool = False) -> None:
        super().__init__()
        self._site, self._taken, self._whole = site, taken, whole
        self._own = {id(t) for t in own}
        self._kept: list[torch.Tensor] = []  # an id is only unique while its object lives

    def __enter__(self) -> Guard:
        self._open.append(self)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *failure: Any) -> None:
        super().__exit__(*failure)  # type: ignore[no-untyped-call]
        self._open.pop()

    @classmethod
    def taken(cls) -> torch.Tensor | None:
        """Whether every side that is being traced is taken; None outside of all branches."""
        conditions = [guard._taken for guard in cls._open]
        return functools.reduce(torch.logical_and, conditions) if conditions else None

    @classmethod
    def nested(cls) -> bool:
        """Whether this is inside a side that ends before the model does, or inside a loop of the graph."""
        return cls._in_loop or not all(guard._whole for guard in cls._open)

    @classmethod
    @contextmanager
    def outside(cls) -> Iterator[None]:
        """For the body of a loop of the graph, which runs only where the loop does."""
        around, cls._open = cls._open, []
        before, cls._in_loop = cls._in_loop, True
        try:
            yield
        finally:
            cls._open, cls._in_loop = around, before

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """As `FunctionMode` says."""
        name = getattr(function, "__name__", "")
        if not self._whole and (_in_place(name) or "out" in kwargs):
            self._check_change(kwargs.get("out", args[0] if args else None))
        result = function(*_safe(function, args), **kwargs)
        if isinstance(result, torch.Tensor):
            self._own.add(id(result))
            self._kept.append(result)
        elif isinstance(result, tuple | list):
            made = [r for r in result if isinstance(r, torch.Tensor)]
            self._own |= {id(r) for r in made}
            self._kept += made
        return result

    def _check_change(self, target: Any) -> None:
        if isinstance(target, torch.Tensor) and id(target) not in self._own:
            raise error(
                "E0206",
                f"a side of this `{self._site.kind}` changes a tensor in place that lives outside the function",
                place=self._site.place,
                help=["compute the new value and assign it instead"],
            )


def _in_place(name: str) -> bool:
    return name in _IN_PLACE_DUNDERS or (name.endswith("_") and not name.endswith("__") and name != "requires_grad_")


def _safe(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments with indices in range and no integer divisor of zero."""
    name = getattr(function, "__name__", "")
    if len(args) < 2:
        return args
    if name in ("__getitem__", "__setitem__"):
        return _with(args, 1, _clamped_key(args[0], args[1]))
    if name == "index" and isinstance(args[1], list):
        return _with(args, 1, list(_clamped_key(args[0], tuple(slice(None) if k is None else k for k in args[1]))))
    if name == "embedding":
        table, where = (1, 0) if function is torch.nn.functional.embedding else (0, 1)
        return _with(args, where, _clamp(args[where], args[table].shape[0]))
    if name in _INDEXED and len(args) > 2 and isinstance(args[1], int):
        return _with(args, 2, _clamp(args[2], args[0].shape[args[1]]))
    divisor = 0 if name in _REFLECTED else 1
    if name in (*_DIVISIONS, *_REFLECTED) and _is_integer(args[divisor]) and not _is_float(args[1 - divisor]):
        by = args[divisor]
        return _with(args, divisor, torch.where(by == 0, torch.ones_like(by), by))
    return args


def _is_integer(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not value.is_floating_point() and value.dtype != torch.bool


def _is_float(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, torch.Tensor) and value.is_floating_point())


def _with(args: tuple[Any, ...], position: int, value: Any) -> tuple[Any, ...]:
    return (*args[:position], value, *args[position + 1 :])


def _clamp(index: torch.Tensor, size: int) -> torch.Tensor:
    return index.clamp(-size, size - 1)


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
