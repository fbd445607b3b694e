"""Removes early exits: `return`, `break` and `continue` inside branches become nesting and flags.

Afterwards a branch returns on every path or on none, and loops contain no jumps, so a branch can become a function. The
statements after an early exit move into the side that continues.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from edgec.frontend.torch.autograph.analysis.names import RUNTIME, assign, has_own, runtime_call, thunk

Statements = list[ast.stmt]

_JUMPS = (ast.Break, ast.Continue)
_LARGEST = 20_000
"""The number of syntax nodes beyond which copying the statements after early exits is given up."""


class UnsupportedError(Exception):
    """A construct that cannot be rewritten, and its line."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line


class Jumps:
    """Removes the jumps from one function."""

    def __init__(self) -> None:
        self._numbers = count()
        self._size = 0

    def function(self, body: Sequence[ast.stmt]) -> Statements:
        """The body, with every path ending in `return`."""
        return self._returning(list(body), [])

    def _returning(self, statements: Statements, rest: Statements) -> Statements:
        """`statements` followed by `rest`, with every path ending in `return` or `raise`."""
        done: Statements = []
        for i, statement in enumerate(statements):
            after = [*statements[i + 1 :], *rest]
            if isinstance(statement, ast.Return | ast.Raise):
                return [*done, statement]
            if isinstance(statement, ast.For | ast.While):
                lowered = self._loop(statement)
                done += lowered.statements
                if lowered.leave is not None:
                    return [*done, *self._returning([lowered.leave], after)]
            elif isinstance(statement, ast.If) and has_own([statement], (ast.Return,)):
                both = (self._returning(statement.body, self._copy(after)), self._returning(statement.orelse, after))
                return [*done, _if(statement, *both)]
            elif isinstance(statement, ast.With | ast.Try) and has_own([statement], (ast.Return,)):
                done += self._managed(statement, after)
                return done
            else:
                done.append(self._inner(statement))
        if rest:
            return [*done, *self._returning(rest, [])]
        return [*done, ast.Return(ast.Constant(None))]

    def _managed(self, statement: ast.With | ast.Try, after: Statements) -> Statements:
        """A `with` or `try` that returns; if it does not on every path, a flag records whether it did."""
        if isinstance(statement, ast.With) and _always_returns(statement.body):
            statement.body = self._returning(statement.body, [])
            return [statement]
        if isinstance(statement, ast.Try) and has_own(statement.finalbody, (ast.Return,)):
            raise UnsupportedError("`return` inside `finally`", statement.lineno)
        flags = _Flags(next(self._numbers))
        setup = [assign(flags.stop, ast.Constant(False)), *flags.unset()]
        self._leave_inside(statement, flags)
        rest = self._returning([flags.leave()], after)
        return [*_placed(setup, statement), statement, *_placed(rest, statement)]

    def _leave_inside(self, statement: ast.With | ast.Try, flags: _Flags) -> None:
        """Replace the jumps inside a `with` or `try` by flags."""
        if isinstance(statement, ast.Try):
            for handler in statement.handlers:
                handler.body = self._leaving(handler.body, [], flags)
            if statement.orelse:
                going = ast.UnaryOp(ast.Not(), _name(flags.stop))
                statement.orelse = _placed([ast.If(going, self._leaving(statement.orelse, [], flags), [])], statement)
        statement.body = self._leaving(statement.body, [], flags)

    def _inner(self, statement: ast.stmt) -> ast.stmt:
        """Rewrite the loops inside a statement that itself contains no `return`."""
        for field in ("body", "orelse", "finalbody"):
            if inner := getattr(statement, field, None):
                if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                    break
                setattr(statement, field, [s for part in inner for s in self._plain(part)])
        return statement

    def _plain(self, statement: ast.stmt) -> Statements:
        return (
            self._loop(statement).statements if isinstance(statement, ast.For | ast.While) else [self._inner(statement)]
        )

    def _loop(self, loop: ast.For | ast.While) -> _Lowered:
        """The loop without jumps; if it returns, followed by an `if` that returns."""
        if isinstance(loop, ast.For) and _is_range(loop):
            setup, turned = _as_while(loop, next(self._numbers))
            lowered = self._loop(turned)
            return _Lowered([*setup, *lowered.statements], lowered.leave)
        returns = has_own(loop.body, (ast.Return,))
        if not returns and not has_own(loop.body, _JUMPS, into_loops=False):
            loop.body = [s for part in loop.body for s in self._plain(part)]
            return _Lowered([loop])
        flags = _Flags(next(self._numbers))
        orelse = self._orelse(loop, flags)
        only_returns = _is_endless(loop) and not has_own(loop.body, (ast.Break,), into_loops=False)
        lowered_loop = _guarded(loop, self._leaving(loop.body, [], flags), flags)
        setup = [assign(flags.stop, ast.Constant(False))]
        if not returns:
            return _Lowered(_placed([*setup, lowered_loop, *orelse], loop))
        leave = flags.leave(ast.Constant(True) if only_returns else None)
        _placed([leave], loop)
        return _Lowered(_placed([*setup, *flags.unset(), lowered_loop, *orelse], loop), leave)

    def _orelse(self, loop: ast.For | ast.While, flags: _Flags) -> Statements:
        """The `else` of a loop with early exits, executed if none was taken."""
        if not loop.orelse:
            return []
        if has_own(loop.orelse, (ast.Return,)) or has_own(loop.orelse, _JUMPS, into_loops=False):
            raise UnsupportedError("an early exit in the `else` of a loop with early exits", loop.lineno)
        body = [s for part in loop.orelse for s in self._plain(part)]
        return [ast.If(ast.UnaryOp(ast.Not(), _name(flags.stop)), body, [])]

    def _leaving(self, statements: Statements, rest: Statements, flags: _Flags) -> Statements:
        """A loop's body without jumps; instead, flags are set."""
        done: Statements = []
        for i, statement in enumerate(statements):
            after = [*statements[i + 1 :], *rest]
            if isinstance(statement, ast.Continue):
                return done or [ast.Pass()]
            if isinstance(statement, ast.Break):
                return [*done, assign(flags.stop, ast.Constant(True))]
            if isinstance(statement, ast.Return):
                value = statement.value or ast.Constant(None)
                true = ast.Constant(True)
                return [*done, assign(flags.value, value), assign(flags.returned, true), assign(flags.stop, true)]
            if isinstance(statement, ast.If) and _leaves(statement):
                both = (
                    self._leaving(statement.body, self._copy(after), flags),
                    self._leaving(statement.orelse, after, flags),
                )
                return [*done, _if(statement, *both)]
            if isinstance(statement, ast.For | ast.While):
                lowered = self._loop(statement)
                done += lowered.statements
                if lowered.leave is not None:
                    return [*done, *self._leaving([lowered.leave], after, flags)]
            elif isinstance(statement, ast.With | ast.Try) and _leaves(statement):
                if has_own([statement], (ast.Continue,), into_loops=False):
                    raise UnsupportedError(f"`continue` inside `{type(statement).__name__.lower()}`", statement.lineno)
                self._leave_inside(statement, flags)
                further = ast.If(ast.UnaryOp(ast.Not(), _name(flags.stop)), self._leaving(after, [], flags), [])
                return [*done, statement, *_placed([further], statement)]
            elif _leaves(statement):
                raise UnsupportedError(f"an early exit inside `{type(statement).__name__.lower()}`", statement.lineno)
            else:
                done.append(self._inner(statement))
        return [*done, *self._leaving(rest, [], flags)] if rest else done or [ast.Pass()]

    def _copy(self, statements: Statements) -> Statements:
        self._size += sum(1 for s in statements for _ in ast.walk(s))
        if self._size > _LARGEST:
            raise UnsupportedError("too many nested early exits", statements[0].lineno)
        return copy.deepcopy(statements)


class _Flags:
    """The variables that represent a loop's early exits."""

    def __init__(self, number: int) -> None:
        self.stop, self.returned, self.value = (f"_edgec_{k}_{number}" for k in ("stop", "returned", "value"))

    def unset(self) -> Statements:
        """Initialize: nothing returned yet."""
        unset = ast.Attribute(_name(RUNTIME), "UNDEFINED", ast.Load())
        return [assign(self.returned, ast.Constant(False)), assign(self.value, unset)]

    def leave(self, test: ast.expr | None = None) -> ast.If:
        """Return from the function if its flag, or `test`, is set."""
        return ast.If(test or _name(self.returned), [ast.Return(_name(self.value))], [])


@dataclass(frozen=True)
class _Lowered:
    """A loop without jumps. `leave` returns from the function if the loop did."""

    statements: Statements
    leave: ast.If | None = None


def _guarded(loop: ast.For | ast.While, body: Statements, flags: _Flags) -> ast.stmt:
    if isinstance(loop, ast.While):
        rest = [] if _is_endless(loop) else [thunk(loop.test)]
        return ast.While(runtime_call("going", _name(flags.stop), *rest), body, [])
    going = ast.UnaryOp(ast.Not(), _name(flags.stop))
    leave = ast.If(runtime_call("certain", _name(flags.stop)), [ast.Break()], [])
    return ast.For(loop.target, loop.iter, [leave, ast.If(going, body, [])], [])


def _is_endless(loop: ast.For | ast.While) -> bool:
    return isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant) and bool(loop.test.value)


def _is_range(loop: ast.For) -> bool:
    """Whether it is `for name in range(…)`."""
    call = loop.iter
    named = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"
    return named and isinstance(loop.target, ast.Name)


def _as_while(loop: ast.For, number: int) -> tuple[Statements, ast.While]:
    """`for i in range(…)` as a `while` with its own counter, since the bounds may be tensors."""
    assert isinstance(loop.iter, ast.Call)
    assert isinstance(loop.target, ast.Name)
    bounds, counter = f"_edgec_range_{number}", f"_edgec_count_{number}"
    setup: Statements = [
        assign(bounds, runtime_call("Range", *loop.iter.args)),
        assign(counter, ast.Attribute(_name(bounds), "start", ast.Load())),
    ]
    step = ast.BinOp(_name(counter), ast.Add(), ast.Attribute(_name(bounds), "step", ast.Load()))
    body = [assign(loop.target.id, _name(counter)), assign(counter, step), *loop.body]
    test = ast.Call(ast.Attribute(_name(bounds), "holds", ast.Load()), [_name(counter)], [])
    turned = _placed([ast.While(test, body, loop.orelse)], loop)[0]
    assert isinstance(turned, ast.While)
    return _placed(setup, loop), turned


def _placed(statements: Statements, where: ast.stmt) -> Statements:
    return [ast.fix_missing_locations(ast.copy_location(s, where)) for s in statements]


def _leaves(statement: ast.stmt) -> bool:
    return has_own([statement], (ast.Return,)) or has_own([statement], _JUMPS, into_loops=False)


def _always_returns(statements: Sequence[ast.stmt]) -> bool:
    last = statements[-1]
    if isinstance(last, ast.If):
        return bool(last.orelse) and _always_returns(last.body) and _always_returns(last.orelse)
    return isinstance(last, ast.Return | ast.Raise)


def _if(original: ast.If, body: Statements, orelse: Statements) -> ast.If:
    return ast.copy_location(ast.If(original.test, body or [ast.Pass()], orelse), original)


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())
