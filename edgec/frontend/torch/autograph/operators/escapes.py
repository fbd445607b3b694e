"""Ways by which a traced value would leave the trace as something that Python takes for data of its own.

torch has no objection to most: a traced tensor is hashed by its identity and printed as `FakeTensor(…)`, a symbol for
a number as `u0`. Whatever Python decides by that is decided once and for all. While `EscapeGuard` is active, each such
way raises `EscapeError` where the user's code asks, and stays open to torch itself.

Private names, seen in torch 2.13: `FakeTensor`, of whose class the user's tensors are in a trace.
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
"""What stands in rewritten functions in the place of what the user wrote."""


_NAMES = {
    FakeTensor: "torch._subclasses.fake_tensor.FakeTensor",
    torch.SymInt: "torch.SymInt",
    torch.SymFloat: "torch.SymFloat",
    torch.SymBool: "torch.SymBool",
    builtins: "builtins",
}


class EscapeError(BaseException):
    """Data would become a Python value here. `way` is the label's end, `what` says of what. No handler of the user's
    exceptions may take it for one.
    """

    def __init__(self, way: str, what: str) -> None:
        super().__init__(what)
        self.way, self.what = way, what


class NumberOfSizeError(EscapeError):
    """`int(size)` would make a number of an open size, or `range(size)` count up to it: a `loop`. Functions among the
    `left` may do that.
    """

    def __init__(self, left: set[CodeType], *, loop: bool = False) -> None:
        super().__init__("to-value", "a number")
        self.left, self.loop = left, loop


class EscapeGuard:
    """While active, the ways of `_WAYS` are watched. `seen` are the errors that were raised, caught or not; `symbols`
    says whether torch made symbols of its own for numbers of the data.
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
            for name in ("__round__", "__trunc__", "__floor__", "__ceil__"):  # torch's own have no translation
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
        """Raise what was raised and caught, by a bare `except`."""
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
"""For each method, the label's end and what becomes of data."""


def _is_of_data(value: Any, name: str) -> bool:
    """Tensors are hashed by what they are, numbers by what they hold; symbols may stand for an open dimension."""
    if isinstance(value, torch.Tensor):
        return name != "__hash__" or not value.dim()
    return bool(free_unbacked_symbols(value))


def asks_user(frame: FrameType | None) -> bool:
    """Whether the user's code asks: the innermost function outside of Python's own library is none of torch's."""
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
    """`copy.deepcopy(x)` in the user's code is a tensor of its own."""

    def copied(value: Any, memo: Any) -> Any:
        return value.clone() if asks_user(sys._getframe(1)) else plain(value, memo)

    return copied


def _alias(value: torch.Tensor) -> torch.Tensor:
    """`copy.copy(x)` is another tensor of the same memory."""
    return value.view_as(value)


def _shown(plain: Callable[..., None]) -> Callable[..., None]:
    """What is printed decides nothing."""

    def shown(*args: Any, **kwargs: Any) -> None:
        plain(*(a if isinstance(a, str | int | float) else repr(a) for a in args), **kwargs)

    return shown
