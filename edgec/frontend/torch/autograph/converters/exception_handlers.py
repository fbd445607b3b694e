"""`try … except` and `with suppress(…)` in the user's functions: exceptions that depend on data cannot be represented
in a graph.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from cProfile import Profile
from types import CodeType, FrameType
from typing import Any

from edgec.frontend.torch.autograph.analysis.names import literal, placed, runtime_call
from edgec.frontend.user_code import is_users_own


@contextmanager
def called_functions(found: set[CodeType], met: Callable[[FrameType], object] = id) -> Iterator[None]:
    """While active, collect the user's functions that are called (not those of libraries); `met` is called before each
    runs for the first time.
    """
    before = sys.getprofile()
    seen: dict[int, CodeType] = {}  # by identity: the hash of code is that of all its constants

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or id(frame.f_code) in seen:
            return
        seen[id(frame.f_code)] = code = frame.f_code
        if code not in found and is_users_own(code.co_filename):
            found.add(code)
            met(frame)

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before if callable(before) else None)
        if isinstance(before, Profile):  # which Python hands out, and does not take back
            before.enable()


def catches(code: CodeType) -> bool:
    """Whether the function may contain a `try`: its code has an exception table."""
    return bool(code.co_exceptiontable)


class Told(ast.NodeTransformer):
    """Instruments each `try` of a function: the runtime is notified when it is entered and when a handler runs."""

    def __init__(self, file: str) -> None:
        self._file, self.count = file, 0

    def visit_With(self, node: ast.With) -> ast.With:
        """A `with` statement whose context may suppress exceptions."""
        self.generic_visit(node)
        if any(_suppresses(item.context_expr) for item in node.items):
            self.count += 1
            watch(self._file, node)
        return node

    def visit_Try(self, node: ast.Try) -> ast.Try:
        """Only notifications are added. `count` is the number of `try` statements that catch something."""
        self.generic_visit(node)
        self.count += bool(node.handlers)
        node.body = [*entered(self._file, node), *node.body]
        for handler in node.handlers:
            handler.body = [caught(self._file, handler), *handler.body]
        return node


def entered(file: str, statement: ast.Try) -> list[ast.stmt]:
    """The statements that notify the runtime of the handlers now in effect."""
    return [_call("entered", file, handler) for handler in statement.handlers]


def caught(file: str, handler: ast.ExceptHandler) -> ast.stmt:
    """The statement that notifies the runtime that a handler runs."""
    return _call("caught", file, handler)


def watch(file: str, statement: ast.With) -> None:
    """Notify the runtime of exceptions raised inside the statement, which may end there."""
    site = literal(("with", file, statement.lineno, (statement.lineno,) * 2))
    statement.items.append(placed(ast.withitem(runtime_call("within", site)), statement))


def _suppresses(context: ast.expr) -> bool:
    """Whether the expression is a call of `suppress`, qualified or not."""
    function = context.func if isinstance(context, ast.Call) else context
    return getattr(function, "attr", getattr(function, "id", "")) == "suppress"


def _call(what: str, file: str, handler: ast.ExceptHandler) -> ast.stmt:
    site = literal(("except", file, handler.lineno, (handler.lineno,) * 2))
    return placed(ast.Expr(runtime_call(what, site)), handler)
