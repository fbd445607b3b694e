"""Half precision in the source: computed in single precision, since its target says in what an artifact computes.

A model in float16 or bfloat16 rounds after every operation, each runtime at other places. What it means is the same
model in float32, and that is what is exported and what artifacts are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.amp import autocast_mode

from edgec.frontend.function_mode import Function, FunctionMode

HALVES = frozenset({torch.float16, torch.bfloat16})

_CASTS = frozenset({torch.Tensor.half, torch.Tensor.bfloat16})


class Widened(FunctionMode):
    """While active, half precision asked for by functions, or found in tensors, is torch's default type instead.

    `seen` says whether there was any.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """As `FunctionMode` says."""
        if function in _CASTS:
            self.seen = True
            return args[0].to(torch.get_default_dtype())
        if any(map(_is_half, args)) or any(map(_is_half, kwargs.values())):
            self.seen = True
            args = tuple(map(_wide, args))
            kwargs = {name: _wide(value) for name, value in kwargs.items()}
        return function(*args, **kwargs)


def in_halves(module: torch.nn.Module) -> bool:
    """Whether some of the module's weights or other tensors are in half precision."""
    return any(t.dtype in HALVES for part in module.modules() for t in _own_tensors(part).values())


def widen(module: torch.nn.Module) -> None:
    """Put those tensors into float32, in place."""
    for part in module.modules():
        for parameter in part.parameters(recurse=False):
            parameter.data = in_single(parameter.data)
        for name, tensor in _own_tensors(part).items():
            if tensor.dtype in HALVES:
                setattr(part, name, in_single(tensor))


def _own_tensors(part: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters, buffers and plain attributes, without those of modules inside."""
    plain = {name: value for name, value in vars(part).items() if isinstance(value, torch.Tensor)}
    return {**plain, **dict(part.named_parameters(recurse=False)), **dict(part.named_buffers(recurse=False))}


def in_single(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, in float32 if it is in half precision."""
    return tensor.float() if tensor.dtype in HALVES else tensor


@contextmanager
def no_autocast(precision: Widened) -> Iterator[None]:
    """`torch.autocast`, wherever the model enters it, does nothing but be seen."""
    enter, leave = autocast_mode.autocast.__enter__, autocast_mode.autocast.__exit__

    def seen(self: autocast_mode.autocast) -> autocast_mode.autocast:
        precision.seen |= self._enabled and self.fast_dtype in HALVES
        return self

    autocast_mode.autocast.__enter__ = seen  # type: ignore[method-assign]
    autocast_mode.autocast.__exit__ = lambda self, *failure: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        autocast_mode.autocast.__enter__ = enter  # type: ignore[method-assign]
        autocast_mode.autocast.__exit__ = leave  # type: ignore[method-assign]


def _is_half(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.dtype in HALVES
    if isinstance(value, torch.dtype):
        return value in HALVES
    return isinstance(value, list | tuple) and any(isinstance(v, torch.Tensor) and v.dtype in HALVES for v in value)


def _wide(value: Any) -> Any:
    if not _is_half(value):
        return value
    if isinstance(value, torch.dtype):
        return torch.get_default_dtype()
    if isinstance(value, torch.Tensor):
        return value.to(torch.get_default_dtype())
    return type(value)(_wide(v) for v in value)
