"""Rewrites a function's branches, loops and logic into calls of the runtime."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import CodeType

from edgec.frontend.torch.autograph.analysis.liveness import Names, live_before
from edgec.frontend.torch.autograph.analysis.names import (
    FLAG,
    RUNTIME,
    assign,
    has_own,
    literal,
    name,
    placed,
    read,
    runtime_call,
    thunk,
    used,
)
from edgec.frontend.torch.autograph.converters.early_exits import Jumps, Statements, UnsupportedError
from edgec.frontend.torch.autograph.converters.exception_handlers import caught, entered, watch
from edgec.frontend.torch.autograph.converters.expressions import Expressions
from edgec.frontend.torch.autograph.converters.match import Matches
from edgec.frontend.torch.autograph.converters.named_expressions import Walrus


@dataclass
class Rewriter:
    """Rewrites one function, given its original code."""

    code: CodeType
    _numbers: count[int] = field(default_factory=count)
    _handled: bool = False
    _beyond: frozenset[str] = frozenset()

    @property
    def file(self) -> str:
        """The file that contains the function."""
        return self.code.co_filename

    @property
    def local(self) -> frozenset[str]:
        """The function's variables, and outer ones that it binds (`nonlocal`, `global`)."""
        return frozenset(self.code.co_varnames) | frozenset(self.code.co_cellvars) | self._beyond

    @property
    def first(self) -> str | None:
        """The first parameter, which `super()` refers to."""
        return self.code.co_varnames[0] if self.code.co_argcount else None

    def function(self, definition: ast.FunctionDef) -> None:
        """Rewrite the function's body in place. Raises `UnsupportedError` if that is not possible."""
        declared = [s for s in definition.body if isinstance(s, ast.Nonlocal | ast.Global)]
        self._beyond = frozenset(n for s in declared for n in s.names)
        Matches().visit(definition)
        Walrus().visit(definition)
        definition.body = self.statements(Jumps().function(definition.body), frozenset())

    def statements(self, statements: Sequence[ast.stmt], live: Names) -> Statements:
        """The rewritten statements; `live` are the names live after them."""
        done: Statements = []
        for i, statement in enumerate(statements):
            after = live_before(statements[i + 1 :], live) | frozenset(self.code.co_cellvars) | self._beyond
            done += self._statement(statement, after)
        return done

    def _statement(self, statement: ast.stmt, live: Names) -> Statements:
        if isinstance(statement, ast.FunctionDef):
            return [self._inner(statement)]
        if isinstance(statement, ast.AsyncFunctionDef | ast.ClassDef):
            return [statement]
        if isinstance(statement, ast.If) and not has_own([statement], (ast.Break,), into_loops=False):
            return self._if(statement, live)
        if isinstance(statement, ast.While):
            return self._while(statement, live | live_before([statement], live))
        if isinstance(statement, ast.Assert):
            where = literal(("assert", self.file, statement.lineno, (statement.lineno,) * 2))
            holds = runtime_call("holds", self._expression(statement.test), where)
            return [placed(ast.Assert(holds, statement.msg), statement)]
        if isinstance(statement, ast.Raise) and statement.exc is not None and not self._handled:
            raised = runtime_call("raised", thunk(self._expression(statement.exc)))
            return [placed(ast.Raise(raised, statement.cause), statement)]
        if isinstance(statement, ast.Try) and statement.handlers and not self._handled:
            return self._tried(statement, live)
        if isinstance(statement, ast.Delete) and all(isinstance(t, ast.Name) for t in statement.targets):
            unset = ast.Attribute(name(RUNTIME), "UNDEFINED", ast.Load())
            return [placed(ast.Assign([_stored(t) for t in statement.targets], unset), statement)]
        if isinstance(statement, ast.AugAssign):
            return [self._augmented(statement)]
        inner = live
        if isinstance(statement, ast.For):
            inner = live | live_before([statement], live)
            self._watch_leaving(statement)
        for field_name in ("body", "orelse", "finalbody"):
            if block := getattr(statement, field_name, None):
                setattr(statement, field_name, self.statements(block, inner))
        if isinstance(statement, ast.With):
            watch(self.file, statement)
        for handler in getattr(statement, "handlers", []):
            handler.body = [caught(self.file, handler), *self.statements(handler.body, inner)]
        if isinstance(statement, ast.Try):
            statement.body = [*entered(self.file, statement), *statement.body]
        return [self._expressions().own_expressions(statement)]

    def _tried(self, statement: ast.Try, live: Names) -> Statements:
        """A `try` is kept as it is: exceptions raised in it may be caught by it."""
        self._handled = True
        try:
            return self._statement(statement, live)
        finally:
            self._handled = False

    def _inner(self, definition: ast.FunctionDef) -> ast.FunctionDef:
        """A nested function, rewritten unless it is of a kind that cannot be."""
        code = next(
            (c for c in self.code.co_consts if isinstance(c, CodeType) and c.co_firstlineno == _first_line(definition)),
            None,
        )
        if code is not None and not is_coroutine(code):
            Rewriter(code).function(definition)
        return definition

    def _augmented(self, statement: ast.AugAssign) -> ast.stmt:
        operation, value = ast.Constant(type(statement.op).__name__), self._expression(statement.value)
        match statement.target:
            case ast.Name(id=variable):
                return placed(assign(variable, runtime_call("augment", operation, name(variable), value)), statement)
            case ast.Attribute(value=owner, attr=attribute):
                call = runtime_call(
                    "augment_attribute", operation, self._expression(owner), ast.Constant(attribute), value
                )
                return placed(ast.Expr(call), statement)
            case ast.Subscript(value=container, slice=index):
                key = self._expression(_index(index))
                call = runtime_call("augment_item", operation, self._expression(container), key, value)
                return placed(ast.Expr(call), statement)

    def _if(self, statement: ast.If, live: Names) -> Statements:
        returns = has_own([statement], (ast.Return,))
        sides = [statement.body, statement.orelse or [ast.Pass()]]
        if any(_binds_beyond(s) for s in sides):
            raise UnsupportedError("`global`, `nonlocal` or `yield` inside a branch on data", statement.lineno)
        names = self._state(statement.body + statement.orelse)
        number = next(self._numbers)
        functions = [
            self._side(f"_edgec_{word}_{number}", side, names, live, returns)
            for word, side in zip(("yes", "no"), sides, strict=True)
        ]
        after = frozenset() if returns else live & set(names)
        record = self._record(_kind(statement.test), statement, names, after, returns)
        arguments = [ast.Name(f.name, ast.Load()) for f in functions]
        call = runtime_call("branch", self._expression(statement.test), *arguments, _values(names), record)
        result = f"_edgec_result_{number}"
        follow: Statements = [assign(result, call)]
        if returns:
            follow.append(ast.Return(_item(result, 0)))
        elif names:
            follow.append(ast.Assign([_tuple(names, ast.Store())], _item(result, 1)))
        return [*functions, *(placed(s, statement) for s in follow)]

    def _while(self, statement: ast.While, live: Names) -> Statements:
        if statement.orelse or has_own(statement.body, (ast.Return, ast.Break, ast.Continue), into_loops=False):
            return [statement]
        names = self._state([statement])
        number = next(self._numbers)
        body = self.statements(statement.body, live)
        step = _function(f"_edgec_step_{number}", names, [*body, ast.Return(_tuple(names))], statement)
        test = _function(f"_edgec_test_{number}", names, [ast.Return(self._expression(statement.test))], statement)
        kind = "for" if any(n.startswith("_edgec_range_") for n in read([statement.test])) else "while"
        record = self._record(kind, statement, names, live & set(names), False)
        call = runtime_call("loop", name(test.name), name(step.name), _values(names), record)
        follow = ast.Assign([_tuple(names, ast.Store())], call) if names else ast.Expr(call)
        return [test, step, placed(follow, statement)]

    def _side(self, name: str, side: Statements, names: list[str], live: Names, returns: bool) -> ast.FunctionDef:
        body = self.statements(side, live)
        if returns:
            body = _returning_state(body, names)
        else:
            body.append(ast.Return(ast.Tuple([ast.Constant(None), _tuple(names)], ast.Load())))
        return _function(name, names, body, side[0])

    def _state(self, nodes: Iterable[ast.AST]) -> list[str]:
        return sorted((used(nodes) & self.local) | {n for n in used(nodes) if n.startswith("_edgec_")})

    def _record(
        self, kind: str, where: ast.If | ast.While, names: list[str], live: Iterable[str], returns: bool
    ) -> ast.expr:
        """The call that describes the branch at run time."""
        return runtime_call(
            "describe",
            self._site(kind, where),
            literal(tuple(names)),
            literal(tuple(sorted(live))),
            ast.Constant(returns),
            ast.Constant(_leaving_flag(where)),
        )

    def _site(self, kind: str, where: ast.If | ast.While) -> ast.expr:
        otherwise = where.orelse[0].lineno if where.orelse and hasattr(where.orelse[0], "lineno") else where.lineno
        return literal((kind, self.file, where.lineno, (where.body[0].lineno, otherwise)))

    def _watch_leaving(self, loop: ast.For) -> None:
        """Mark a loop that may end early depending on data, so that code that checks its flag knows the loop."""
        match loop.body:
            case [ast.If(test=ast.Call() as certain), ast.If() as going] if _kind(going.test) == "for":
                certain.args.append(self._site("for", going))

    def _expressions(self) -> Expressions:
        return Expressions(self.file, self.first)

    def _expression(self, expression: ast.expr) -> ast.expr:
        rewritten = self._expressions().visit(expression)
        assert isinstance(rewritten, ast.expr)
        return rewritten


def _kind(test: ast.expr) -> str:
    """The kind of branch as shown to the user: some branches represent jumps out of a loop."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name(id=name)) if name.startswith(FLAG):
            return "for"
        case ast.Name(id=name) if name.startswith("_edgec_returned_"):
            return "early return"
    return "if"


def _leaving_flag(where: ast.If | ast.While) -> str:
    """The variable that ends this loop early; empty if there is none."""
    names = [n.id for n in ast.walk(where.test) if isinstance(n, ast.Name) and n.id.startswith(FLAG)]
    return names[0] if names else ""


def is_coroutine(code: CodeType) -> bool:
    """Whether the code is a generator or a coroutine."""
    return bool(code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))


def _first_line(definition: ast.FunctionDef) -> int:
    return min([definition.lineno, *(d.lineno for d in definition.decorator_list)])


def _returning_state(statements: Statements, names: list[str]) -> Statements:
    """Turn every own `return value` into `return value, (names…)`."""
    for statement in statements:
        if isinstance(statement, ast.Return):
            statement.value = ast.Tuple([statement.value or ast.Constant(None), _tuple(names)], ast.Load())
            ast.fix_missing_locations(statement)
        elif isinstance(statement, ast.With | ast.If):
            _returning_state(statement.body, names)
    return statements


def _function(name: str, names: list[str], body: Statements, where: ast.stmt) -> ast.FunctionDef:
    parameters = ast.arguments(
        posonlyargs=[], args=[ast.arg(n) for n in names], kwonlyargs=[], kw_defaults=[], defaults=[]
    )
    made = ast.FunctionDef(name, parameters, body, [])
    return placed(made, where)


def _values(names: list[str]) -> ast.expr:
    return ast.Tuple([runtime_call("value", thunk(name(n))) for n in names], ast.Load())


def _tuple(names: list[str], context: ast.expr_context | None = None) -> ast.Tuple:
    return ast.Tuple([ast.Name(n, context or ast.Load()) for n in names], context or ast.Load())


def _item(variable: str, index: int) -> ast.expr:
    return ast.Subscript(name(variable), ast.Constant(index), ast.Load())


def _index(key: ast.expr) -> ast.expr:
    """A subscript as an argument: `a:b` becomes `slice(a, b)`."""
    if isinstance(key, ast.Slice):
        bounds = [part or ast.Constant(None) for part in (key.lower, key.upper, key.step)]
        return ast.Call(name("slice"), bounds, [])
    return ast.Tuple([_index(k) for k in key.elts], ast.Load()) if isinstance(key, ast.Tuple) else key


def _stored(target: ast.expr) -> ast.Name:
    assert isinstance(target, ast.Name)
    return ast.Name(target.id, ast.Store())


def _binds_beyond(statements: Statements) -> bool:
    kinds = (ast.Global, ast.Nonlocal, ast.Yield, ast.YieldFrom)
    return any(isinstance(n, kinds) for s in statements for n in ast.walk(s))
