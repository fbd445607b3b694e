"""Exports a model with data-dependent control flow: rewrites the functions at which torch fails, until it succeeds."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import TypeVar

from edgec.diag import EdgecError, Place, error
from edgec.diag.foreign import said
from edgec.frontend.torch.autograph.converters.early_exits import UnsupportedError
from edgec.frontend.torch.autograph.operators.escapes import EscapeError, NumberOfSizeError
from edgec.frontend.torch.autograph.operators.path_duplication import ForkError
from edgec.frontend.torch.autograph.replacement import Rewritten, contains
from edgec.frontend.torch.frames import TORCH, is_of_model

Result = TypeVar("Result")

_ATTEMPTS = 40
"""The maximum number of functions that are rewritten for one model."""

_ASKED = ("GuardOnDataDependentSymNode", "DataDependentOutputException")
"""torch's private exceptions for decisions that depend on data."""

_UNFIT = (TypeError, AttributeError, ValueError, RuntimeError)
_STANDS_FOR_DATA = re.compile(
    r"\b(FakeTensor|SymInt|SymFloat|SymBool|Text|BooleanAtom)\b|its data is not allocated yet"
)
"""The types that represent data in a trace, as Python's error messages name them."""

_PYTHONS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What Python raises if it does not accept an object that represents data in a trace."""

_BUILTINS = "/_export/non_strict_utils.py"
"""The file in which torch 2.13 replaces Python's `min` and `max`."""


def export_with_autograph(export: Callable[[], Result], rewritten: Rewritten) -> Result:
    """Run `export`; whenever it fails at a data-dependent decision, rewrite the function that contains it and try
    again.

    The rewritten functions are collected in `rewritten`.

    Raises `EdgecError` E0206 if that function cannot be rewritten; other exceptions of `export` are passed on.
    """
    for _ in range(_ATTEMPTS):
        rewritten.runtime.begin()
        try:
            with rewritten.active(), rewritten.runtime.trace():
                found = export()
            if not rewritten.add_comparing():
                return found
        except (Exception, EscapeError) as failure:  # torch raises private classes, some wrapped in others
            fork = next((f for f in _chain(failure) if isinstance(f, ForkError)), None)
            if fork is not None:
                rewritten.runtime.forks.refused.update(dict.fromkeys(fork.sites, fork.refused))
                continue
            refused = _refusal(failure)
            if refused is not None:
                raise refused from failure
            asking = _asking(failure)
            number = next((f for f in _chain(failure) if isinstance(f, NumberOfSizeError)), None)
            if asking is not None and number is not None:
                _rewrite_number(rewritten, asking, number)
                continue
            stuck = asking is None or rewritten.has(asking.code)
            if stuck and rewritten.runtime.forks.of_numbers(failure):
                continue
            if asking is None:
                raise
            leaves = next((f for f in _chain(failure) if isinstance(f, EscapeError)), None)
            _rewrite(rewritten, asking, _left(leaves, asking) if leaves else None)
    raise error("E0206", f"more than {_ATTEMPTS} functions have control flow on data")


def _refusal(failure: BaseException) -> EdgecError | None:
    return next((f for f in _chain(failure) if isinstance(f, EdgecError)), None)


@dataclass(frozen=True)
class _Asking:
    """The innermost function outside torch that contains the data-dependent decision, and its line.

    `outer` is the function to rewrite: the outermost function that contains it and is being called. `decides`: it is a
    decision, not a value that Python computes with. `said`: the exception.
    """

    code: CodeType
    outer: CodeType
    line: int
    decides: bool
    said: str

    @property
    def place(self) -> Place:
        """Its location."""
        return Place(self.code.co_filename, self.line)

    @property
    def function(self) -> str:
        """The function's name in the user's source, without functions that a rewriting creates."""
        parts = self.code.co_qualname.split(".<locals>.")
        return ".".join(part for part in parts if not part.startswith("_edgec_")) or parts[-1]


def _asking(failure: BaseException) -> _Asking | None:
    """Where the decision is; None if the failure has another cause."""
    for part in _chain(failure):
        frames = list(traceback.walk_tb(part.__traceback__))
        users = [(f.f_code, line) for f, line in frames if is_of_model(f.f_code.co_filename)]
        if users and (_asks(failure) or _is_pythons(part, [f for f, _ in frames])):
            code, line = users[-1]
            outer = next(c for c, _ in users if contains(c, code))
            decides = any(type(f).__name__ in _ASKED for f in _chain(failure))
            return _Asking(code, outer, line, decides, said("Python", f"{type(part).__name__}: {part}"))
    return None


def _asks(failure: BaseException) -> bool:
    """Whether it is a data-dependent decision, or a representation of data that Python does not accept."""
    named = any(isinstance(f, EscapeError) or type(f).__name__ in _ASKED for f in _chain(failure))
    return named or (isinstance(failure, _UNFIT) and _STANDS_FOR_DATA.search(str(failure)) is not None)


def _is_pythons(failure: BaseException, frames: Sequence[FrameType]) -> bool:
    """Whether Python or its standard library fails at something that worked before the trace. A function whose
    recursion depends on data does not terminate in a trace.
    """
    if isinstance(failure, RecursionError):
        return True
    last = max(i for i, frame in enumerate(frames) if is_of_model(frame.f_code.co_filename))
    files = [f.f_code.co_filename for f in frames[last:]]
    by_torch = any(file.startswith(TORCH) and not file.endswith(_BUILTINS) for file in files)
    return isinstance(failure, _PYTHONS) and not by_torch


def _rewrite_number(rewritten: Rewritten, asking: _Asking, number: NumberOfSizeError) -> None:
    """Rewrite the function that converts a dynamic size to a number; if that is impossible, it uses the example's."""
    try:
        if number.loop and rewritten.add_loop(asking.code, asking.outer, asking.line):
            return
        if not number.loop and not rewritten.has(asking.code):
            rewritten.add(asking.outer)
            return
    except UnsupportedError:
        pass
    number.left.add(asking.code)


def _rewrite(rewritten: Rewritten, asking: _Asking, left: EdgecError | None) -> None:
    """Rewrite the function. Raises `EdgecError` E0206 if it already is or cannot be: `left`, if given."""
    if rewritten.has(asking.code):
        raise left or _undecided(asking)
    try:
        rewritten.add(asking.outer)
    except UnsupportedError as reason:
        if left is not None or not asking.decides:
            raise left or _undecided(asking) from None
        raise error(
            "E0206",
            f"`{asking.function}` has control flow on data and cannot be rewritten: {reason.reason}",
            place=Place(asking.code.co_filename, reason.line),
            help=["express the choice with `torch.where` or `torch.cond`"],
        ) from None


def _undecided(asking: _Asking) -> EdgecError:
    if asking.decides:
        return error(
            "E0206",
            "Python control flow on data cannot be rewritten here",
            place=asking.place,
            notes=[f"in `{asking.function}`"],
            help=["use `torch.where`, or move it into a plain `if`, `while` or conditional expression"],
        )
    return error(
        "E0206",
        "Python computes with a value from the data here, in a way that a graph cannot express",
        place=asking.place,
        notes=[f"in `{asking.function}`", "rejected by `data-to-value`", asking.said],
        help=["compute with tensors"],
    )


def _left(leaves: EscapeError, asking: _Asking) -> EdgecError:
    return error(
        "E0206",
        f"data become {leaves.what} here, which cannot be replaced by a finite number of cases",
        place=asking.place,
        notes=[f"in `{asking.function}`", f"rejected by `data-to-{leaves.way}`"],
        help=["compute with tensors, or compare the number itself: `==`, `if`, a dictionary's `[…]` and `.get(…)`"],
    )


def _chain(failure: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    following: BaseException | None = failure
    while following is not None and following not in found:
        found.append(following)
        following = following.__cause__ or following.__context__
    return found
