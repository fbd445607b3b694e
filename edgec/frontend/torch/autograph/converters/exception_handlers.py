"""`try … except` in the user's functions, and `with suppress(…)`: what they catch on some data, and not on others, no
graph can hold.
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
    """While active, the user's functions that are called are gathered, those of no library, and before each runs for
    the first time it is `met`.
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
    """Whether the function may hold a `try`: it has a table of what is done about exceptions."""
    return bool(code.co_exceptiontable)


class Told(ast.NodeTransformer):
    """Lets each `try` of a function tell the runtime that it is entered, and each handler that it runs."""

    def __init__(self, file: str) -> None:
        self._file, self.count = file, 0

    def visit_With(self, node: ast.With) -> ast.With:
        """What may leave out what is raised inside."""
        self.generic_visit(node)
        if any(_suppresses(item.context_expr) for item in node.items):
            self.count += 1
            watch(self._file, node)
        return node

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


def watch(file: str, statement: ast.With) -> None:
    """Let it tell of what is raised inside of it, and may end there."""
    site = literal(("with", file, statement.lineno, (statement.lineno,) * 2))
    statement.items.append(placed(ast.withitem(runtime_call("within", site)), statement))


def _suppresses(context: ast.expr) -> bool:
    """Whether it is a call of `suppress`, alone or as an attribute."""
    function = context.func if isinstance(context, ast.Call) else context
    return getattr(function, "attr", getattr(function, "id", "")) == "suppress"


def _call(what: str, file: str, handler: ast.ExceptHandler) -> ast.stmt:
    site = literal(("except", file, handler.lineno, (handler.lineno,) * 2))
    return placed(ast.Expr(runtime_call(what, site)), handler)
