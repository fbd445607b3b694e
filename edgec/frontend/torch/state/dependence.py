"""Tracks which tensors depend on a model's inputs, and which kept values a call uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgec.frontend.torch.overrides.function_mode import Function, FunctionMode, tensors_among

_MARK = "_edgec_of_inputs"
_LIKE = frozenset("zeros_like ones_like empty_like full_like new_zeros new_ones new_empty new_full".split())
"""Functions that use only the shape and type of their first operand."""

_ASK = frozenset("item bool int float index complex tolist numpy array equal allclose is_nonzero contains".split())
_OPEN = frozenset("nonzero argwhere masked_select unique unique_consecutive bincount".split())
"""Functions whose result is a Python value or has a shape that depends on data."""

_METADATA = frozenset("shape dtype device ndim size dim numel layout is_cuda requires_grad".split())
"""Attributes that depend on a tensor's shape and type only."""


class OfInputs(FunctionMode):
    """While active, tensors computed from `inputs` are marked (`depends`). `asked`: whether a marked tensor was
    converted to a Python value, or determined a shape.
    """

    def __init__(self, inputs: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self._inputs = list(inputs)
        self.asked = False
        for tensor in self._inputs:
            setattr(tensor, _MARK, True)

    def __exit__(self, *failure: Any) -> None:
        super().__exit__(*failure)
        for tensor in self._inputs:
            delattr(tensor, _MARK)

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `FunctionMode`."""
        result = function(*args, **kwargs)
        name = getattr(function, "__name__", "")
        given = tensors_among(*(args[1:] if name in _LIKE else args), *kwargs.values())
        masked = name == "__getitem__" and any(t.dtype == torch.bool for t in given[1:])
        if (masked or name.strip("_") in _ASK | _OPEN) and any(map(depends, given)):
            self.asked = True
        if any(map(depends, given)) and not _is_form(function):
            written = given[:1] if name in ("__setitem__", "copy_") else []
            for tensor in [*written, *tensors_among(result)]:
                _mark(tensor)
        return result


def depends(value: Any) -> bool:
    """Whether a tensor was computed from inputs while `OfInputs` was active."""
    return isinstance(value, torch.Tensor) and hasattr(value, _MARK)


def _mark(tensor: torch.Tensor) -> None:
    with torch._C.DisableTorchFunction():
        setattr(tensor, _MARK, True)
        if tensor._is_view() and tensor._base is not None:
            setattr(tensor._base, _MARK, True)


def _is_form(function: Any) -> bool:
    name = getattr(function, "__name__", "")
    owner = getattr(getattr(function, "__self__", None), "__name__", "") if name == "__get__" else name
    return owner in _METADATA


class Uses(FunctionMode):
    """While active, records which of the given tensors are used as operands, and which watched numbers are used."""

    def __init__(self, tensors: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self._watched = {id(t): t for t in tensors}
        self.used: dict[int, Any] = {}

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `FunctionMode`."""
        if not _is_form(function):
            for leaf in pytree.tree_leaves((args, kwargs)):
                parts = (leaf.start, leaf.stop, leaf.step) if isinstance(leaf, slice) else (leaf,)
                for part in parts:
                    if id(part) in self._watched:
                        self.used[id(part)] = part
                    elif isinstance(part, EscapeGuard):
                        part.note()
        return function(*args, **kwargs)


class EscapeGuard:
    """A number that calls `note` when it decides something. Numbers that Python computes from it do as well."""

    note: Callable[[], None]


class _Int(int, EscapeGuard):
    """An integer whose use is watched."""


class _Float(float, EscapeGuard):
    """A float whose use is watched."""


def watched(value: int | float, note: Callable[[], None]) -> int | float:
    """The number, calling `note` when it is compared, converted, hashed or formatted."""
    made = _Int(value) if isinstance(value, int) else _Float(value)
    made.note = note
    return made


def _computing(name: str, plain: type) -> Callable[..., Any]:
    def compute(self: Any, *others: Any) -> Any:
        result = getattr(plain, name)(self, *others)
        kind = type(result)
        return watched(result, self.note) if kind in (int, float) else result

    return compute


def _telling(name: str, plain: type) -> Callable[..., Any]:
    def tell(self: Any, *others: Any) -> Any:
        self.note()
        return getattr(plain, name)(self, *others)

    return tell


_COMPUTE = "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow neg pos abs".split()
_TELL = "eq ne lt le gt ge bool hash int float index round trunc floor ceil str repr format".split()

for _kind, _plain in ((_Int, int), (_Float, float)):
    for _name in _COMPUTE:
        setattr(_kind, f"__{_name}__", _computing(f"__{_name}__", _plain))
    for _name in (n for n in _TELL if hasattr(_plain, f"__{n}__")):
        setattr(_kind, f"__{_name}__", _telling(f"__{_name}__", _plain))
