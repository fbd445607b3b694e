"""Evaluates decisions that depend only on the module's own flags, such as `if self.initialized:`, in Python."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import _disable_current_modes

from edgec.frontend.torch.overrides.function_mode import Function, FunctionMode, tensors_among

_FLAG = 16
"""The largest number of elements of a buffer that is taken for a flag or a counter."""

_ASK = frozenset("bool item int float index".split())
"""Functions that convert a tensor to a Python value."""

_PLAIN = frozenset(
    "all any abs neg eq ne lt le gt ge equal logical_not logical_and logical_or logical_xor invert and or xor "
    "bitwise_not bitwise_and bitwise_or add sub rsub mul sum max min amax amin clone detach to type bool long float "
    "double getitem reshape view squeeze unsqueeze flatten radd rmul div truediv rtruediv rdiv floordiv rfloordiv "
    "floor_divide mod rmod remainder fmod pow rpow pos ceil floor round trunc clamp clamp_min clamp_max sign where "
    "sqrt rsqrt exp log log2 log10 reciprocal maximum minimum prod mean int stack cat true_divide subtract multiply "
    "divide negative absolute square numel half".split()
)
"""Deterministic functions of their operands, by name without underscores."""


_MAKING = frozenset("zeros ones full empty arange linspace eye rand randn".split())
"""Functions that create a tensor from numbers only."""

_SIZED = _MAKING | frozenset(
    "pad view reshape expand repeat tile narrow split tensor_split chunk unflatten roll unfold fold select "
    "new_zeros new_ones new_full new_empty getitem setitem interpolate upsample one_hot repeat_interleave "
    "broadcast_to as_strided conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d avg_pool1d "
    "avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d adaptive_avg_pool1d adaptive_avg_pool2d "
    "adaptive_avg_pool3d pixel_shuffle pixel_unshuffle".split()
)
"""Functions that take sizes, lengths and indices as numbers: a tensor there makes them data-dependent for torch."""


@dataclass(frozen=True)
class _Known:
    """A traced tensor, its known value, and the buffers from which it is computed."""

    traced: torch.Tensor
    held: torch.Tensor
    buffers: frozenset[str]


class ModuleFlags(FunctionMode):
    """While a module is traced, conversions of its small buffers to Python values return their current values.

    A buffer that the module mutates counts as data: `changes` lists those, and `asked` those whose value was used, so
    that the trace can be repeated without them.
    """

    def __init__(self, module: torch.nn.Module, changes: Iterable[str]) -> None:
        super().__init__()
        self._module, left_out = module, set(changes)
        small = [(n, b) for n, b in module.named_buffers() if b.numel() <= _FLAG and n not in left_out]
        self._held = {name: buffer.detach().clone() for name, buffer in small}
        self._known: dict[int, _Known] = {}
        self.asked: set[str] = set()

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `FunctionMode`."""
        name = getattr(function, "__name__", "")
        plain = name.strip("_")
        if _is_in_place(name) or "out" in kwargs:
            self._known.clear()  # any of them may share memory with the mutated tensor
            return function(*args, **kwargs)
        if plain in _SIZED:
            first = 0 if plain in _MAKING else 1
            args, kwargs = (*args[:first], *self._numbers(args[first:])), self._numbers(kwargs)
        asks = name == "item" or (plain in _ASK and name != plain)
        operands = self._operands(args, kwargs) if self._held and (asks or plain in _PLAIN) else None
        if operands is None:
            return function(*args, **kwargs)
        if asks:
            self.asked |= operands[0].buffers
            with _disable_current_modes():
                return function(operands[0].held)
        result = function(*args, **kwargs)
        if isinstance(result, torch.Tensor):
            self._note(result, function, operands, (args, kwargs))
        return result

    def value(self, tensor: Any) -> Any:
        """The value of a one-element tensor if it depends only on buffers; otherwise the tensor."""
        found = self._find(tensor) if isinstance(tensor, torch.Tensor) else None
        if found is None or found.held.numel() != 1:
            return tensor
        self.asked |= found.buffers
        return found.held.item()

    def _numbers(self, values: Any) -> Any:
        """The values, with integers in place of known tensors."""
        if isinstance(values, slice):
            return slice(*(self._numbers(bound) for bound in (values.start, values.stop, values.step)))
        if isinstance(values, tuple | list) and type(values) in (tuple, list):
            return type(values)(self._numbers(value) for value in values)
        if isinstance(values, dict):
            return {name: self._numbers(value) for name, value in values.items()}
        whole = isinstance(values, torch.Tensor) and not values.dim() and values.dtype in (torch.int64, torch.int32)
        return self.value(values) if whole else values

    def _operands(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[_Known] | None:
        """The known values of the tensors among the arguments, if there are any and all are known."""
        tensors = tensors_among(*args, *kwargs.values())
        found = [known for tensor in tensors if (known := self._find(tensor)) is not None]
        return found if found and len(found) == len(tensors) else None

    def _find(self, tensor: torch.Tensor) -> _Known | None:
        known = self._known.get(id(tensor))
        if known is not None:
            return known
        shape = tuple(tensor.shape)
        if not all(type(size) is int for size in shape) or math.prod(shape) > _FLAG:
            return None
        for name, held in self._held.items():
            if self._module.get_buffer(name) is tensor:
                return self._known.setdefault(id(tensor), _Known(tensor, held, frozenset({name})))
        return None

    def _note(self, result: torch.Tensor, function: Function, operands: list[_Known], given: Any) -> None:
        """Compute the same function on the known values, outside of the trace."""
        args, kwargs = pytree.tree_map_only(torch.Tensor, lambda tensor: self._known[id(tensor)].held, given)
        with _disable_current_modes(), torch.no_grad():
            held = function(*args, **kwargs)
        if held.numel() <= _FLAG:
            self._known[id(result)] = _Known(result, held, frozenset().union(*(o.buffers for o in operands)))


def _is_in_place(name: str) -> bool:
    """Whether it is an in-place method such as `add_`, `__iadd__` or `__setitem__`."""
    if name.startswith("__"):
        return name == "__setitem__" or (name.startswith("__i") and name not in ("__int__", "__index__", "__invert__"))
    return name.endswith("_")
