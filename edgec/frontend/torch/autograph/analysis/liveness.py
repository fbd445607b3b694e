"""Liveness analysis: the variables that may be read after a point of a function before they are assigned again."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from edgec.frontend.torch.autograph.analysis.names import has_own, read

Names = frozenset[str]


def live_before(statements: Sequence[ast.stmt], after: Names, leave: Names = frozenset()) -> Names:
    """The names live before these statements. `after` are live after them, `leave` after the enclosing loop.

    A statement that may be left part-way (`try`, `with`) does not count as binding anything.
    """
    for statement in reversed(statements):
        after = _before(statement, after, leave)
    return after


def _before(statement: ast.stmt, after: Names, leave: Names) -> Names:
    match statement:
        case ast.Assign(targets=targets, value=value):
            return (after - _bound(targets)) | read([value]) | read(targets)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            return (after - _bound([target])) | read([value]) | read([target])
        case ast.If(test=test, body=body, orelse=orelse):
            sides = live_before(body, after, leave) | live_before(orelse, after, leave)
            return sides | read([test])
        case ast.For(target=target, iter=values):
            return after | read([values]) | (_round(statement, after) - _bound([target]))
        case ast.While(test=test):
            return after | read([test]) | _round(statement, after)
        case ast.Return() | ast.Raise():
            return frozenset(read([statement]))
        case ast.Break() | ast.Continue():
            return leave
    return after | read([statement])


def _round(loop: ast.For | ast.While, after: Names) -> Names:
    """The names live at the start of a loop's body; `break` continues after the loop, `continue` at its start."""
    around = after | read([loop]) if has_own(loop.body, (ast.Continue,), into_loops=False) else after
    behind = live_before(loop.orelse, after)
    first = live_before(loop.body, after | behind, around)
    return behind | live_before(loop.body, after | behind | first, around)


def _bound(targets: Iterable[ast.expr]) -> Names:
    """The names that an assignment always binds."""
    found: set[str] = set()
    for target in targets:
        if isinstance(target, ast.Name):
            found.add(target.id)
        elif isinstance(target, ast.Tuple | ast.List):
            found |= _bound(target.elts)
        elif isinstance(target, ast.Starred):
            found |= _bound([target.value])
    return frozenset(found)
