"""Export a model whose control flow depends on data: rewrite what torch stumbles over until it does not."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import TypeVar

import torch

from edgec.diag import EdgecError, Place, error
from edgec.frontend.control_flow.forks import ForkError
from edgec.frontend.control_flow.functions import Rewritten, contains
from edgec.frontend.control_flow.jumps import UnsupportedError
from edgec.frontend.control_flow.leaving import LeavesError

Result = TypeVar("Result")

_ATTEMPTS = 40
"""Functions that one model's control flow may spread over."""

_ASKED = ("GuardOnDataDependentSymNode", "DataDependentOutputException")
"""torch's private exceptions for a question that only the data can answer."""

_UNFIT = (TypeError, AttributeError, ValueError, RuntimeError)
_STANDS_FOR_DATA = re.compile(
    r"\b(FakeTensor|SymInt|SymFloat|SymBool|Text|BooleanAtom)\b|its data is not allocated yet"
)
"""What stands for data in a trace, as Python names it where it takes no tensor."""

_FOREIGN = (str(Path(torch.__file__).parent), str(Path(__file__).parent.parent))


def export_settled(export: Callable[[], Result], rewritten: Rewritten) -> Result:
    """Run `export`; each time it asks for the truth of data, rewrite the function that asked, and try again.

    What was rewritten is left in `rewritten`.

    Raises `EdgecError` E0206 where that function cannot be rewritten; other failures of `export` go through.
    """
    for _ in range(_ATTEMPTS):
        rewritten.runtime.begin()
        try:
            with rewritten.active(), rewritten.runtime.trace():
                found = export()
            if not rewritten.add_comparing():
                return found
        except (Exception, LeavesError) as failure:  # torch raises its own private classes, some wrapped in others
            fork = next((f for f in _chain(failure) if isinstance(f, ForkError)), None)
            if fork is not None:
                rewritten.runtime.forks.refused.update(dict.fromkeys(fork.sites, fork.refused))
                continue
            refused = _refusal(failure)
            if refused is not None:
                raise refused from failure
            asking = _asking(failure)
            stuck = asking is None or rewritten.has(asking.code)
            if stuck and rewritten.runtime.forks.of_numbers(failure):
                continue
            if asking is None:
                raise
            _rewrite(rewritten, asking, next((f for f in _chain(failure) if isinstance(f, LeavesError)), None))
    raise error("E0206", f"data decide in more than {_ATTEMPTS} functions")


def _refusal(failure: BaseException) -> EdgecError | None:
    return next((f for f in _chain(failure) if isinstance(f, EdgecError)), None)


@dataclass(frozen=True)
class _Asking:
    """The innermost function outside torch that asked for the truth of data, and its line.

    `outer` is the function to rewrite: the outermost one in which it stands, as far as that is being called.
    """

    code: CodeType
    outer: CodeType
    line: int


def _asking(failure: BaseException) -> _Asking | None:
    """Who asked; None if the failure is another one."""
    for part in _chain(failure):
        frames = [(f.f_code, line) for f, line in _frames(part.__traceback__) if not _foreign(f)]
        if frames and _asks(failure):
            code, line = frames[-1]
            outer = next(c for c, _ in frames if contains(c, code))
            return _Asking(code, outer, line)
    return None


def _asks(failure: BaseException) -> bool:
    """Whether it is about a question to data, or about what stands for data where Python takes no tensor."""
    named = any(isinstance(f, LeavesError) or type(f).__name__ in _ASKED for f in _chain(failure))
    return named or (isinstance(failure, _UNFIT) and _STANDS_FOR_DATA.search(str(failure)) is not None)


def _rewrite(rewritten: Rewritten, asking: _Asking, leaves: LeavesError | None) -> None:
    code, place = asking.code, Place(asking.code.co_filename, asking.line)
    if rewritten.has(code):
        raise _left(leaves, code, place) if leaves else _undecided(code, place)
    try:
        rewritten.add(asking.outer)
    except UnsupportedError as reason:
        if leaves:
            raise _left(leaves, code, place) from None
        raise error(
            "E0206",
            f"`{code.co_qualname}` decides on data and cannot be rewritten: {reason.reason}",
            place=Place(code.co_filename, reason.line),
            help=["write the choice with `torch.where` or `torch.cond`"],
        ) from None


def _undecided(code: CodeType, place: Place) -> EdgecError:
    return error(
        "E0206",
        "a Python decision on data cannot be rewritten here",
        place=place,
        notes=[f"in `{code.co_qualname}`"],
        help=["write it with `torch.where`, or move it into a plain `if`, `while` or conditional expression"],
    )


def _left(leaves: LeavesError, code: CodeType, place: Place) -> EdgecError:
    return error(
        "E0206",
        f"data become {leaves.what} here, of which nothing finite can be told apart",
        place=place,
        notes=[f"in `{code.co_qualname}`", f"rejected by `data-to-{leaves.way}`"],
        help=["compute with tensors, or compare the number itself: `==`, `if`, a dictionary's `[…]` and `.get(…)`"],
    )


def _chain(failure: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    following: BaseException | None = failure
    while following is not None and following not in found:
        found.append(following)
        following = following.__cause__ or following.__context__
    return found


def _frames(trace: TracebackType | None) -> list[tuple[FrameType, int]]:
    return list(traceback.walk_tb(trace))


def _foreign(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return (
        name.startswith(("<", *_FOREIGN))
        or "/site-packages/sympy/" in name
        or ("/lib/python3" in name and "site-packages" not in name)
    )
