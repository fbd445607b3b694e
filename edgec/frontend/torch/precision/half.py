"""Half precision in the source, computed in single precision: the target determines the precision of an artifact.

A model in float16 or bfloat16 rounds after every operation, in a way that depends on the runtime. Its meaning is the
same model in float32, which is exported and is the reference for artifacts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.amp import autocast_mode

from edgec.frontend.torch.overrides.function_mode import HALVES, Function, FunctionMode
from edgec.frontend.torch.patches import patched

_CASTS: dict[Function, torch.dtype] = {torch.Tensor.half: torch.float16, torch.Tensor.bfloat16: torch.bfloat16}

_COPY = torch.ops.aten._to_copy.default

_MARK = "_written_in_halves"


class Widened(FunctionMode):
    """While active, half precision requested from functions, or found in tensors, is replaced by torch's default type.

    Results requested in half precision are rounded to it if `rounds` is set. `seen` says whether there were any.
    """

    def __init__(self, rounds: bool) -> None:
        super().__init__()
        self.rounds = rounds
        self.seen = False

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `FunctionMode`."""
        if function in _CASTS:
            self.seen = True
            return self._rounded(args[0].to(torch.get_default_dtype()), _CASTS[function])
        given = (*args, *kwargs.values())
        with torch._C.DisableTorchFunction():  # inspecting operands here is not part of the model
            halves = any(map(_is_half, given))
        if not halves:
            return self._in_default(function(*args, **kwargs))
        self.seen = True
        result = self._in_default(function(*map(_wide, args), **{name: _wide(v) for name, v in kwargs.items()}))
        asked = [v for v in given if isinstance(v, torch.dtype) and v in HALVES]
        return self._rounded(result, asked[0]) if asked else result

    def _in_default(self, result: Any) -> Any:
        """A type given as text, `x.type("torch.HalfTensor")`, yields half precision, which is converted here."""
        if not isinstance(result, torch.Tensor):
            return result
        with torch._C.DisableTorchFunction():
            half = result.dtype in HALVES
        if not half:
            return result
        self.seen = True
        return _COPY(result, dtype=torch.get_default_dtype())

    def _rounded(self, result: Any, half: torch.dtype) -> Any:
        if not self.rounds or not isinstance(result, torch.Tensor) or not result.is_floating_point():
            return result
        # Not `to`: an export would add an assertion on the type in the source.
        return _COPY(_COPY(result, dtype=half), dtype=result.dtype)


def in_halves(module: torch.nn.Module) -> bool:
    """Whether some of the module's weights or other tensors are in half precision."""
    return any(t.dtype in HALVES for part in module.modules() for t in _own_tensors(part).values())


def written_in_halves(module: torch.nn.Module) -> bool:
    """Whether `widen` found a module, or a copy of it, entirely in half precision."""
    return _MARK in vars(module)


def widen(module: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> None:
    """Convert those tensors to float32, in place. A module that has any, or takes such inputs, is marked."""
    if in_halves(module) or any(t.dtype in HALVES for t in inputs):
        vars(module)[_MARK] = True
    for part in module.modules():
        for parameter in part.parameters(recurse=False):
            parameter.data = in_single(parameter.data)
        for name, tensor in _own_tensors(part).items():
            if tensor.dtype in HALVES:
                setattr(part, name, in_single(tensor))


def _own_tensors(part: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters, buffers and plain attributes, without those of submodules."""
    plain = {name: value for name, value in vars(part).items() if isinstance(value, torch.Tensor)}
    return {**plain, **dict(part.named_parameters(recurse=False)), **dict(part.named_buffers(recurse=False))}


def in_single(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, in float32 if it is in half precision."""
    return tensor.float() if tensor.dtype in HALVES else tensor


@contextmanager
def no_autocast(precision: Widened) -> Iterator[None]:
    """While active, `torch.autocast` has no effect but is recorded."""

    def seen(self: autocast_mode.autocast) -> autocast_mode.autocast:
        precision.seen |= self._enabled and self.fast_dtype in HALVES
        return self

    with patched() as patches:
        patches.replace("torch.amp.autocast_mode.autocast.__enter__", seen)
        patches.replace("torch.amp.autocast_mode.autocast.__exit__", lambda self, *failure: None)
        yield


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
