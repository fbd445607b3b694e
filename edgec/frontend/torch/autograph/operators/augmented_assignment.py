"""`target += value` and similar: in place for a tensor, unless it represents a Python number."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch

_AUGMENTED: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "Add": (operator.add, operator.iadd),
    "Sub": (operator.sub, operator.isub),
    "Mult": (operator.mul, operator.imul),
    "MatMult": (operator.matmul, operator.imatmul),
    "Div": (operator.truediv, operator.itruediv),
    "FloorDiv": (operator.floordiv, operator.ifloordiv),
    "Mod": (operator.mod, operator.imod),
    "Pow": (operator.pow, operator.ipow),
    "LShift": (operator.lshift, operator.ilshift),
    "RShift": (operator.rshift, operator.irshift),
    "BitOr": (operator.or_, operator.ior),
    "BitXor": (operator.xor, operator.ixor),
    "BitAnd": (operator.and_, operator.iand),
}
"""Python's operators by the name of their syntax node: the expression and the in-place form."""


def augmented(operation: str, target: Any, value: Any) -> Any:
    """The new value of the target. A 0-d tensor may represent a number that other variables share: not in place."""
    if isinstance(target, torch.Tensor) and target.dim() == 0:
        return _AUGMENTED[operation][0](target, value)
    return in_place(operation, target, value)


def in_place(operation: str, target: Any, value: Any) -> Any:
    """The target, changed in place if its type supports that."""
    return _AUGMENTED[operation][1](target, value)
