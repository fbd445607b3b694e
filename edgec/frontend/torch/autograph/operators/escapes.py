"""Detects operations that would convert a traced value to a Python value without an error.

torch permits most of them: a traced tensor is hashed by identity and printed as `FakeTensor(…)`, a symbol for a number
as `u0`. Decisions that Python makes with these would be fixed in the graph. While `EscapeGuard` is active, each such
operation raises `EscapeError` if the user's code performs it; torch itself may still use them.

Private API, as of torch 2.13: `FakeTensor`, the class of the user's tensors in a trace.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

from edgec.frontend.torch.frames import EDGEC, TORCH, is_of_library
from edgec.frontend.torch.patches import Patches

_OWN = (TORCH, EDGEC)
_ON_BEHALF = tuple(f"/autograph/operators/{name}.py" for name in ("py_builtins", "lookups", "control_flow"))
"""Files of functions that act on behalf of the user's code in rewritten functions."""


_NAMES = {
    FakeTensor: "torch._subclasses.fake_tensor.FakeTensor",
    torch.SymInt: "torch.SymInt",
    torch.SymFloat: "torch.SymFloat",
    torch.SymBool: "torch.SymBool",
    builtins: "builtins",
}


class EscapeError(BaseException):
    """A data-dependent value would become a Python value. `way` is the end of the label, `what` describes the value.
    Not an `Exception`, so that handlers in the user's code do not catch it.
    """

    def __init__(self, way: str, what: str) -> None:
        super().__init__(what)
        self.way, self.what = way, what


class NumberOfSizeError(EscapeError):
    """`int(size)` would convert a dynamic size to a number, or `range(size)` iterate up to it (`loop`). Functions
    listed in `left` may do that.
    """

    def __init__(self, left: set[CodeType], *, loop: bool = False) -> None:
        super().__init__("to-value", "a number")
        self.left, self.loop = left, loop


class EscapeGuard:
    """While active, the operations in `_WAYS` are intercepted. `seen` are the errors raised, caught or not; `symbols`
    is whether torch created symbols of its own for data-dependent numbers.
    """

    def __init__(self) -> None:
        self.seen: list[EscapeError] = []
        self.symbols = False
        self._patches = Patches()

    def __enter__(self) -> EscapeGuard:
        for owner in (FakeTensor, torch.SymInt, torch.SymFloat, torch.SymBool):
            for name, (way, what) in _WAYS.items():
                self._replace(owner, name, self._watching(owner, name, way, what))
        for owner in (torch.SymInt, torch.SymFloat):
            for name in ("__round__", "__trunc__", "__floor__", "__ceil__"):  # torch's own are not translated
                self._replace(owner, name, self._watching(owner, name, "number", "a rounded number"))
        for name in ("item", "tolist"):
            self._replace(FakeTensor, name, self._counting(getattr(torch.Tensor, name)))
        for name in ("numpy", "__array__"):
            self._replace(FakeTensor, name, self._closed("numpy", "an array"))
        self._replace(FakeTensor, "__deepcopy__", _copied(FakeTensor.__deepcopy__))
        self._replace(FakeTensor, "__copy__", _alias)
        self._replace(builtins, "print", _shown(builtins.print))
        return self

    def __exit__(self, kind: type[BaseException] | None, failure: Any, trace: TracebackType | None) -> None:
        self._patches.undo()

    def check(self) -> None:
        """Raise the first error that the user's code caught, as a bare `except` does."""
        if self.seen:
            raise self.seen[0]

    def _replace(self, owner: Any, name: str, new: Any) -> None:
        self._patches.replace(f"{_NAMES[owner]}.{name}", new)

    def _watching(self, owner: type, name: str, way: str, what: str) -> Callable[..., Any]:
        plain = getattr(owner, name, None)

        def watching(value: Any, *args: Any) -> Any:
            if asks_user(sys._getframe(1)) and _is_of_data(value, name):
                raise self._noted(EscapeError(way, what))
            return plain(value, *args) if plain is not None else NotImplemented

        return watching

    def _counting(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        def counting(value: torch.Tensor) -> Any:
            self.symbols = True
            return plain(value)

        return counting

    def _closed(self, way: str, what: str) -> Callable[..., Any]:
        def closed(*_: Any, **__: Any) -> Any:
            raise self._noted(EscapeError(way, what))

        return closed

    def _noted(self, failure: EscapeError) -> EscapeError:
        self.seen.append(failure)
        return failure


_WAYS = {
    "__hash__": ("key", "a key of a dictionary or set"),
    "__str__": ("text", "text"),
    "__repr__": ("text", "text"),
    "__format__": ("text", "text"),
    "__reduce_ex__": ("pickle", "a pickle"),
}
"""For each method, the end of the label and what happens to the data."""


def _is_of_data(value: Any, name: str) -> bool:
    """Tensors are hashed by identity, numbers by value; symbols may represent a dynamic dimension."""
    if isinstance(value, torch.Tensor):
        return name != "__hash__" or not value.dim()
    return bool(free_unbacked_symbols(value))


def asks_user(frame: FrameType | None) -> bool:
    """Whether the user's code is the caller: the innermost function outside Python's library is not torch's."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.endswith(_ON_BEHALF) and file.startswith(_OWN):
            frame = frame.f_back
            continue
        if file.startswith(_OWN) or "/logging/" in file or file.endswith(("/warnings.py", "/traceback.py")):
            return False
        if not is_of_library(file) and not file.startswith("<"):
            return True
        frame = frame.f_back
    return False


def _copied(plain: Callable[..., Any]) -> Callable[..., Any]:
    """`copy.deepcopy(x)` in the user's code creates a new tensor."""

    def copied(value: Any, memo: Any) -> Any:
        return value.clone() if asks_user(sys._getframe(1)) else plain(value, memo)

    return copied


def _alias(value: torch.Tensor) -> torch.Tensor:
    """`copy.copy(x)` creates another tensor with the same memory."""
    return value.view_as(value)


def _shown(plain: Callable[..., None]) -> Callable[..., None]:
    """Printing is permitted, since it decides nothing."""

    def shown(*args: Any, **kwargs: Any) -> None:
        plain(*(a if isinstance(a, str | int | float) else repr(a) for a in args), **kwargs)

    return shown
