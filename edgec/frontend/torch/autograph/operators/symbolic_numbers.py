"""Traced tensors that represent Python numbers: the results of `int(x)`, `float(x)`, `bool(x)` and `x.item()`.

To torch a 0-d tensor and a number are the same, to Python they are not: `isinstance(n, int)`, `flag is True` and
`table[n]` distinguish them. Tensors that represent numbers are therefore marked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

from edgec.frontend.torch.overrides.function_mode import Function, FunctionMode, tensors_among

Truth = torch.Tensor | bool

_MARK = "_edgec_number"

_KEEP = frozenset(
    "abs neg pos invert eq ne lt le gt ge add radd sub rsub subtract mul rmul multiply div rdiv truediv rtruediv "
    "floordiv rfloordiv floor_divide mod rmod remainder pow rpow and rand or ror xor rxor lshift rlshift rshift "
    "rrshift logical_not logical_and logical_or where clamp round floor ceil trunc".split()
)
"""The tensor methods of Python's operators, without underscores, and the replacements of Python's functions of
numbers."""

SYMBOLS = (torch.SymInt, torch.SymFloat, torch.SymBool)
_KINDS = {torch.SymInt: torch.int64, torch.SymFloat: torch.float32}


def mark(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, marked as one that represents a number."""
    setattr(tensor, _MARK, True)
    return tensor


def is_number(value: Any) -> bool:
    """Whether a traced value represents a data-dependent number."""
    return isinstance(value, torch.Tensor) and hasattr(value, _MARK)


def is_symbol(value: Any) -> bool:
    """Whether it is one of torch's symbols for a data-dependent number."""
    return isinstance(value, SYMBOLS) and bool(free_unbacked_symbols(value))


def as_number(value: Any) -> Any:
    """torch's symbols for data-dependent numbers as tensors that represent them; other values unchanged."""
    if not is_symbol(value):
        return value
    if isinstance(value, torch.SymBool):
        whole: Any = torch.sym_ite(value, 1, 0)  # type: ignore[no-untyped-call]
        return mark(torch.scalar_tensor(whole, dtype=torch.int64) != 0)
    return mark(torch.scalar_tensor(value, dtype=_KINDS[type(value)]))


def kind_of(value: torch.Tensor) -> type:
    """The type of the number that a tensor represents."""
    if value.dtype == torch.bool:
        return bool
    return float if value.is_floating_point() else int


class Numbers(FunctionMode):
    """While active, results that Python computes from marked tensors only are marked."""

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `FunctionMode`."""
        result = function(*args, **kwargs)
        name = getattr(function, "__name__", "").strip("_")
        if isinstance(result, torch.Tensor) and name in _KEEP:
            tensors = tensors_among(*args, *kwargs.values())
            if tensors and all(map(is_number, tensors)):
                result = mark(_power(result, *_operands(name, args)) if name in ("pow", "rpow") else result)
        return result


def _operands(name: str, args: tuple[Any, ...]) -> tuple[Any, Any]:
    return (args[1], args[0]) if name == "rpow" else (args[0], args[1])


def _power(whole: torch.Tensor, base: Any, exponent: Any) -> torch.Tensor:
    """`base ** exponent`: for integers a float if the exponent is negative, or depends on data."""
    if whole.is_floating_point() or not isinstance(exponent, torch.Tensor):
        return whole
    base = torch.as_tensor(base).to(torch.float32)
    return torch.where(exponent < 0, torch.pow(base, exponent.to(torch.float32)), whole.to(torch.float32))


def every(truths: Iterable[Truth]) -> Truth:
    """Whether all are true."""
    found: Truth = True
    for truth in truths:
        if isinstance(truth, torch.Tensor):
            found = torch.logical_and(found, truth) if isinstance(found, torch.Tensor) else truth
        elif not truth:
            return False
    return found


def some(truths: Iterable[Truth]) -> Truth:
    """Whether any is true."""
    found: Truth = False
    for truth in truths:
        if isinstance(truth, torch.Tensor):
            found = torch.logical_or(found, truth) if isinstance(found, torch.Tensor) else truth
        elif truth:
            return True
    return found
