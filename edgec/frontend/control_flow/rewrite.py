"""A function's source with its branches, loops and logic turned into calls of the runtime."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import CodeType
from typing import TypeVar

from edgec.frontend.control_flow.jumps import Jumps, Statements, UnsupportedError
from edgec.frontend.control_flow.matches import Matches
from edgec.frontend.control_flow.names import (
    assign,
    has_own,
    literal,
    read,
    runtime_call,
    stored_attributes,
    thunk,
    used,
)

_NUMBERS = {"bool", "int", "float"}
_EXTREMES = {"min": "least", "max": "greatest"}
_QUANTIFIERS = {"any": "some", "all": "every"}

Node = TypeVar("Node", bound=ast.AST)


@dataclass
class Rewriter:
    """Rewrites one function, given its original code."""

    code: CodeType
    _numbers: count[int] = field(default_factory=count)
    _handled: bool = False

    @property
    def file(self) -> str:
        """The file that the function stands in."""
        return self.code.co_filename

    @property
    def local(self) -> frozenset[str]:
        """The function's variables."""
        return frozenset(self.code.co_varnames) | frozenset(self.code.co_cellvars)

    @property
    def first(self) -> str | None:
        """The first parameter, which `super()` means."""
        return self.code.co_varnames[0] if self.code.co_argcount else None

    def function(self, definition: ast.FunctionDef) -> None:
        """Rewrite the function's body in place. Raises `UnsupportedError` where that cannot be done."""
        Matches().visit(definition)
        definition.body = self.statements(Jumps().function(definition.body), frozenset())

    def statements(self, statements: Sequence[ast.stmt], live: frozenset[str]) -> Statements:
        """The statements rewritten; `live` are the names that are read after them."""
        done: Statements = []
        for i, statement in enumerate(statements):
            after = live | read(statements[i + 1 :])
            done += self._statement(statement, after)
        return done

    def _statement(self, statement: ast.stmt, live: frozenset[str]) -> Statements:
        if isinstance(statement, ast.FunctionDef):
            return [self._inner(statement)]
        if isinstance(statement, ast.AsyncFunctionDef | ast.ClassDef):
            return [statement]
        if isinstance(statement, ast.If) and not has_own([statement], (ast.Break,), into_loops=False):
            return self._if(statement, live)
        if isinstance(statement, ast.While):
            return self._while(statement, live | read([statement]))
        if isinstance(statement, ast.Assert):
            where = literal(("assert", self.file, statement.lineno, (statement.lineno,) * 2))
            holds = runtime_call("holds", self._expression(statement.test), where)
            return [_at(ast.Assert(holds, statement.msg), statement)]
        if isinstance(statement, ast.Raise) and statement.exc is not None and not self._handled:
            raised = runtime_call("raised", thunk(self._expression(statement.exc)))
            return [_at(ast.Raise(raised, statement.cause), statement)]
        if isinstance(statement, ast.Try) and statement.handlers and not self._handled:
            return self._tried(statement, live)
        if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            return [self._augmented(statement, statement.target.id)]
        inner = live | read([statement]) if isinstance(statement, ast.For) else live
        for name in ("body", "orelse", "finalbody"):
            if block := getattr(statement, name, None):
                setattr(statement, name, self.statements(block, inner))
        for handler in getattr(statement, "handlers", []):
            handler.body = self.statements(handler.body, inner)
        return [_Expressions(self).own_expressions(statement)]

    def _tried(self, statement: ast.Try, live: frozenset[str]) -> Statements:
        """What is raised here may be caught here: it stays as it is."""
        self._handled = True
        try:
            return self._statement(statement, live)
        finally:
            self._handled = False

    def _inner(self, definition: ast.FunctionDef) -> ast.FunctionDef:
        """A function inside the function, unless it is of a kind that cannot be rewritten."""
        code = next(
            (c for c in self.code.co_consts if isinstance(c, CodeType) and c.co_firstlineno == _first_line(definition)),
            None,
        )
        if code is not None and not is_coroutine(code):
            Rewriter(code).function(definition)
        return definition

    def _augmented(self, statement: ast.AugAssign, name: str) -> ast.stmt:
        operation = ast.Constant(type(statement.op).__name__)
        call = runtime_call("augment", operation, _read(name), self._expression(statement.value))
        return _at(assign(name, call), statement)

    def _if(self, statement: ast.If, live: frozenset[str]) -> Statements:
        returns = has_own([statement], (ast.Return,))
        sides = [statement.body, statement.orelse or [ast.Pass()]]
        if any(_binds_beyond(s) for s in sides):
            raise UnsupportedError("`global`, `nonlocal`, `del` or `yield` inside a branch on data", statement.lineno)
        names = self._state(statement.body + statement.orelse)
        number = next(self._numbers)
        functions = [
            self._side(f"_edgec_{word}_{number}", side, names, live, returns)
            for word, side in zip(("yes", "no"), sides, strict=True)
        ]
        after = frozenset() if returns else live & set(names)
        record = self._record("if", statement, names, after, returns)
        arguments = [ast.Name(f.name, ast.Load()) for f in functions]
        call = runtime_call("branch", self._expression(statement.test), *arguments, _values(names), record)
        result = f"_edgec_result_{number}"
        follow: Statements = [assign(result, call)]
        if returns:
            follow.append(ast.Return(_item(result, 0)))
        elif names:
            follow.append(ast.Assign([_tuple(names, ast.Store())], _item(result, 1)))
        return [*functions, *(_at(s, statement) for s in follow)]

    def _while(self, statement: ast.While, live: frozenset[str]) -> Statements:
        if statement.orelse or has_own(statement.body, (ast.Return, ast.Break, ast.Continue), into_loops=False):
            return [statement]
        names = self._state([statement])
        number = next(self._numbers)
        body = self.statements(statement.body, live)
        step = _function(f"_edgec_step_{number}", names, [*body, ast.Return(_tuple(names))], statement)
        test = _function(f"_edgec_test_{number}", names, [ast.Return(self._expression(statement.test))], statement)
        kind = "for" if any(n.startswith("_edgec_range_") for n in read([statement.test])) else "while"
        record = self._record(kind, statement, names, live & set(names), False)
        call = runtime_call("loop", _read(test.name), _read(step.name), _values(names), record)
        follow = ast.Assign([_tuple(names, ast.Store())], call) if names else ast.Expr(call)
        return [test, step, _at(follow, statement)]

    def _side(
        self, name: str, side: Statements, names: list[str], live: frozenset[str], returns: bool
    ) -> ast.FunctionDef:
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
        otherwise = where.orelse[0].lineno if where.orelse and hasattr(where.orelse[0], "lineno") else where.lineno
        attributes = [
            ast.Tuple([ast.Name(a.value.id, ast.Load()), ast.Constant(a.attr)], ast.Load())
            for a in stored_attributes([where])
            if isinstance(a.value, ast.Name)
        ]
        return runtime_call(
            "describe",
            literal((kind, self.file, where.lineno, (where.body[0].lineno, otherwise))),
            literal(tuple(names)),
            literal(tuple(sorted(live))),
            ast.Constant(returns),
            ast.Tuple(list(attributes), ast.Load()),
        )

    def _expression(self, expression: ast.expr) -> ast.expr:
        rewritten = _Expressions(self).visit(expression)
        assert isinstance(rewritten, ast.expr)
        return rewritten


class _Expressions(ast.NodeTransformer):
    """Logic and conversions inside expressions."""

    def __init__(self, rewriter: Rewriter) -> None:
        self._rewriter = rewriter

    def own_expressions(self, statement: ast.stmt) -> ast.stmt:
        """Rewrite the expressions of one statement, not those of the statements inside it."""
        for name, value in ast.iter_fields(statement):
            if isinstance(value, ast.expr):
                setattr(statement, name, self.visit(value))
            elif isinstance(value, list) and value and isinstance(value[0], ast.expr | ast.withitem):
                setattr(statement, name, [self.visit(v) for v in value])
        return statement

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        if _walrus(node):
            return node
        name = "both" if isinstance(node.op, ast.And) else "either"
        return _at(runtime_call(name, node.values[0], *(thunk(v) for v in node.values[1:])), node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return _at(runtime_call("negated", node.operand), node) if isinstance(node.op, ast.Not) else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        if _walrus(node):
            return node
        sides = (node.body.lineno, node.orelse.lineno)
        where = literal(("conditional expression", self._rewriter.file, node.lineno, sides))
        return _at(runtime_call("choose", node.test, thunk(node.body), thunk(node.orelse), where), node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """Elements that are read; a constant index is no decision."""
        self.generic_visit(node)
        fixed = isinstance(node.slice, ast.Constant | ast.Slice | ast.Tuple | ast.UnaryOp)
        if fixed or not isinstance(node.ctx, ast.Load) or _walrus(node):
            return node
        where = literal(("choice of element", self._rewriter.file, node.lineno, (node.lineno,) * 2))
        return _at(runtime_call("item", node.value, node.slice, where), node)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """`a < b < c` asks for the truth of `a < b`, and `a in b` for that of an equality."""
        self.generic_visit(node)
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn) and not _walrus(node):
            inside = runtime_call("contains", node.comparators[0], node.left)
            return _at(inside if isinstance(node.ops[0], ast.In) else runtime_call("negated", inside), node)
        if len(node.ops) == 1 or _walrus(node):
            return node
        links = [
            ast.Tuple([thunk(ast.Compare(_read("a"), [op], [_read("b")]), "a", "b"), thunk(value)], ast.Load())
            for op, value in zip(node.ops, node.comparators, strict=True)
        ]
        return _at(runtime_call("chain", node.left, *links), node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        _fold_filter(node)
        self.generic_visit(node)
        function, plain = node.func, not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args)
        if isinstance(function, ast.Attribute) and function.attr == "item" and not node.args and plain:
            return _at(runtime_call("number", ast.Name("object", ast.Load()), function.value), node)
        if isinstance(function, ast.Attribute) and function.attr == "is_nonzero" and plain and len(node.args) < 2:
            of = node.args[0] if node.args else function.value  # `torch.is_nonzero(x)` or `x.is_nonzero()`
            return _at(runtime_call("number", ast.Name("bool", ast.Load()), of), node)
        if not isinstance(function, ast.Name) or not plain:
            return node
        if function.id in _NUMBERS and len(node.args) == 1:
            return _at(runtime_call("number", function, node.args[0]), node)
        if function.id in _QUANTIFIERS and len(node.args) == 1:
            return _at(runtime_call(_QUANTIFIERS[function.id], *node.args), node)
        if function.id in _EXTREMES and len(node.args) > 1:
            return _at(runtime_call(_EXTREMES[function.id], *node.args), node)
        if function.id == "super" and not node.args and self._rewriter.first:
            return _at(ast.Call(function, [_read("__class__"), _read(self._rewriter.first)], []), node)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        return node


def _fold_filter(call: ast.Call) -> None:
    """`sum(a for … if c)` adds `a if c else 0`, `any` asks for `c and a`, `all` for `not c or a`: none left out."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    made = call.args[0] if len(call.args) == 1 else None
    if name not in ("sum", "any", "all") or not isinstance(made, ast.GeneratorExp | ast.ListComp):
        return
    (last, *others) = reversed(made.generators)
    if not last.ifs or any(g.ifs for g in others) or _walrus(made):
        return
    test = last.ifs[0] if len(last.ifs) == 1 else ast.BoolOp(ast.And(), last.ifs)
    if name == "sum":
        made.elt = _at(ast.IfExp(test, made.elt, ast.Constant(0)), made.elt)
    elif name == "any":
        made.elt = _at(ast.BoolOp(ast.And(), [test, made.elt]), made.elt)
    else:
        made.elt = _at(ast.BoolOp(ast.Or(), [ast.UnaryOp(ast.Not(), test), made.elt]), made.elt)
    last.ifs = []


def is_coroutine(code: CodeType) -> bool:
    """Whether the code yields or awaits."""
    return bool(code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))


def _first_line(definition: ast.FunctionDef) -> int:
    return min([definition.lineno, *(d.lineno for d in definition.decorator_list)])


def _returning_state(statements: Statements, names: list[str]) -> Statements:
    """Every own `return value` becomes `return value, (names…)`."""
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
    return _at(made, where)


def _at(node: Node, where: ast.AST) -> Node:
    return ast.fix_missing_locations(ast.copy_location(node, where))


def _values(names: list[str]) -> ast.expr:
    return ast.Tuple([runtime_call("value", thunk(_read(n))) for n in names], ast.Load())


def _tuple(names: list[str], context: ast.expr_context | None = None) -> ast.Tuple:
    return ast.Tuple([ast.Name(n, context or ast.Load()) for n in names], context or ast.Load())


def _item(name: str, index: int) -> ast.expr:
    return ast.Subscript(_read(name), ast.Constant(index), ast.Load())


def _read(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _walrus(node: ast.AST) -> bool:
    return any(isinstance(n, ast.NamedExpr | ast.Await | ast.Yield) for n in ast.walk(node))


def _binds_beyond(statements: Statements) -> bool:
    kinds = (ast.Global, ast.Nonlocal, ast.Delete, ast.Yield, ast.YieldFrom)
    return any(isinstance(n, kinds) for s in statements for n in ast.walk(s))
