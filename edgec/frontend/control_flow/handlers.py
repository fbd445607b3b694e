"""`try … except` in the user's functions: what it catches on some data, and not on others, no graph can hold."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from cProfile import Profile
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch

from edgec.frontend.control_flow.names import literal, placed, runtime_call

_FOREIGN = (str(Path(torch.__file__).parent), str(Path(__file__).parents[2]), "<")


@contextmanager
def called_functions(found: set[CodeType], met: Callable[[FrameType], object] = id) -> Iterator[None]:
    """While active, the user's functions that are called are gathered, those of no library, and before each runs for
    the first time it is `met`.
    """
    before = sys.getprofile()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code not in found:
            file = frame.f_code.co_filename
            if not file.startswith(_FOREIGN) and "site-packages" not in file and "/lib/python" not in file:
                found.add(frame.f_code)
                met(frame)

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before if callable(before) else None)
        if isinstance(before, Profile):  # which Python hands out, and does not take back
            before.enable()


def catches(code: CodeType) -> bool:
    """Whether the function may hold a `try`: it has a table of what is done about exceptions."""
    return bool(code.co_exceptiontable)


class Told(ast.NodeTransformer):
    """Lets each `try` of a function tell the runtime that it is entered, and each handler that it runs."""

    def __init__(self, file: str) -> None:
        self._file, self.count = file, 0

    def visit_Try(self, node: ast.Try) -> ast.Try:
        """Nothing else changes. `count` is how many there are that catch something."""
        self.generic_visit(node)
        self.count += bool(node.handlers)
        node.body = [*entered(self._file, node), *node.body]
        for handler in node.handlers:
            handler.body = [caught(self._file, handler), *handler.body]
        return node


def entered(file: str, statement: ast.Try) -> list[ast.stmt]:
    """The statements that tell of the handlers that may run now."""
    return [_call("entered", file, handler) for handler in statement.handlers]


def caught(file: str, handler: ast.ExceptHandler) -> ast.stmt:
    """The statement that tells of a handler that runs."""
    return _call("caught", file, handler)


def _call(what: str, file: str, handler: ast.ExceptHandler) -> ast.stmt:
    site = literal(("except", file, handler.lineno, (handler.lineno,) * 2))
    return placed(ast.Expr(runtime_call(what, site)), handler)
