"""Rewrites logic, conversions and conditional expressions into calls of the runtime."""

from __future__ import annotations

import ast

from edgec.frontend.torch.autograph.analysis.names import literal, name, placed, runtime_call, thunk
from edgec.frontend.torch.autograph.operators.py_math import NAMES

_NUMBERS = {"bool", "int", "float"}
_EXTREMES = {"min", "max"}
_BUILTINS = {"isinstance", "type", "str", "repr", "format"}
_COMPARING = {"get", "index", "count", "format", "join"}
_QUANTIFIERS = {"any": "some", "all": "every"}


class Expressions(ast.NodeTransformer):
    """Rewrites the expressions of one function; `file` contains it, `first` is its first parameter."""

    def __init__(self, file: str, first: str | None) -> None:
        self._file, self._first = file, first

    def own_expressions(self, statement: ast.stmt) -> ast.stmt:
        """Rewrite the expressions of one statement, but not those of statements inside it."""
        for field, value in ast.iter_fields(statement):
            if isinstance(value, ast.expr):
                setattr(statement, field, self.visit(value))
            elif isinstance(value, list) and value and isinstance(value[0], ast.expr | ast.withitem):
                setattr(statement, field, [self.visit(v) for v in value])
        return statement

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """`and`, `or`."""
        self.generic_visit(node)
        if _binds(node):
            return node
        logic = "both" if isinstance(node.op, ast.And) else "either"
        return placed(runtime_call(logic, node.values[0], *(thunk(v) for v in node.values[1:])), node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """`not`."""
        self.generic_visit(node)
        return placed(runtime_call("negated", node.operand), node) if isinstance(node.op, ast.Not) else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        """`yes if test else no`."""
        self.generic_visit(node)
        if _binds(node):
            return node
        sides = (node.body.lineno, node.orelse.lineno)
        where = literal(("conditional expression", self._file, node.lineno, sides))
        return placed(runtime_call("choose", node.test, thunk(node.body), thunk(node.orelse), where), node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """`container[index]`, read; a constant index needs no rewriting."""
        self.generic_visit(node)
        fixed = isinstance(node.slice, ast.Constant | ast.Slice | ast.Tuple | ast.UnaryOp)
        if fixed or not isinstance(node.ctx, ast.Load) or _binds(node):
            return node
        return placed(runtime_call("item", node.value, node.slice, self._where(node)), node)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """`a < b < c` and `a in b` evaluate the truth of comparisons, which may depend on data."""
        self.generic_visit(node)
        if _binds(node):
            return node
        if len(node.ops) == 1:
            return placed(_compared(node.left, node.ops[0], node.comparators[0]), node)
        links = [
            ast.Tuple([thunk(_compared(name("a"), op, name("b")), "a", "b"), thunk(value)], ast.Load())
            for op, value in zip(node.ops, node.comparators, strict=True)
        ]
        return placed(runtime_call("chain", node.left, *links), node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        """`f"…"`, which may format data whose value is unknown in a trace."""
        self.generic_visit(node)
        if _binds(node):
            return node
        parts = [part if isinstance(part, ast.Constant) else _field(part) for part in node.values]
        return placed(runtime_call("joined", *parts), node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.expr:
        """A part of an f-string, rewritten with it."""
        node.value = self.visit(node.value)
        if node.format_spec is not None:
            node.format_spec = self.visit(node.format_spec)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """`"…" % values`."""
        self.generic_visit(node)
        shown = (
            isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        )
        return placed(runtime_call("percent", node.left, node.right), node) if shown and not _binds(node) else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Conversions to numbers, and Python's functions of numbers."""
        _fold_filter(node)
        self.generic_visit(node)
        function, plain = node.func, not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args)
        if isinstance(function, ast.Attribute) and function.attr == "item" and not node.args and plain:
            return placed(runtime_call("number", ast.Name("object", ast.Load()), function.value), node)
        if isinstance(function, ast.Attribute) and function.attr == "is_nonzero" and plain and len(node.args) < 2:
            of = node.args[0] if node.args else function.value  # `torch.is_nonzero(x)` or `x.is_nonzero()`
            return placed(runtime_call("number", ast.Name("bool", ast.Load()), of), node)
        if isinstance(function, ast.Attribute) and function.attr == "tolist" and not node.args and plain:
            return placed(runtime_call("tolist", function.value), node)
        if isinstance(function, ast.Attribute) and function.attr in ("is_", "is_not") and len(node.args) == 2:
            return placed(runtime_call("builtin", function, *node.args), node)
        if isinstance(function, ast.Attribute) and function.attr in _COMPARING:
            return placed(self._method(function, node), node)
        if isinstance(function, ast.Name) and function.id in _EXTREMES:
            return placed(_with_options("extreme", function, node), node)
        if _is_mathematical(function):
            return placed(_with_options("mathematical", function, node), node)
        if isinstance(function, ast.Name) and function.id == "sorted" and len(node.args) == 1:
            return placed(_with_options("ordered", function, node), node)
        if not isinstance(function, ast.Name) or not plain:
            return node
        if function.id == "len" and len(node.args) == 1:
            return placed(runtime_call("length", function, *node.args), node)
        if function.id in _NUMBERS and len(node.args) == 1:
            return placed(runtime_call("number", function, node.args[0]), node)
        if function.id in _BUILTINS and node.args:
            return placed(runtime_call("builtin", function, *node.args), node)
        if function.id == "getattr" and len(node.args) in (2, 3):
            default = ast.Tuple(node.args[2:], ast.Load())
            return placed(runtime_call("attribute", *node.args[:2], default, self._where(node)), node)
        if function.id in _QUANTIFIERS and len(node.args) == 1:
            return placed(runtime_call(_QUANTIFIERS[function.id], *node.args), node)
        if function.id == "super" and not node.args and self._first:
            return placed(ast.Call(function, [name("__class__"), name(self._first)], []), node)
        return node

    def _method(self, function: ast.Attribute, node: ast.Call) -> ast.expr:
        """`owner.method(…)` for methods that compare or format numbers."""
        call = _with_options("method", ast.Constant(function.attr), node)
        call.args.insert(0, function.value)
        if function.attr != "get":
            return call
        owner, _, *rest = call.args
        return runtime_call("get", owner, *rest, self._where(node))

    def _where(self, node: ast.expr) -> ast.expr:
        return literal(("choice of element", self._file, node.lineno, (node.lineno,) * 2))


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr) -> ast.expr:
    """`left op right`; a comparison with None never depends on data."""
    negative = isinstance(op, ast.NotIn | ast.IsNot)
    if isinstance(op, ast.In | ast.NotIn):
        found = runtime_call("contains", right, left)
    elif isinstance(op, ast.Is | ast.IsNot) and not (isinstance(right, ast.Constant) and right.value is None):
        found = runtime_call("identical", left, right)
    elif isinstance(op, ast.Eq | ast.NotEq):
        return runtime_call("equal" if isinstance(op, ast.Eq) else "unequal", left, right)
    else:
        return ast.Compare(left, [op], [right])
    return runtime_call("negated", found) if negative else found


def _field(part: ast.expr) -> ast.expr:
    assert isinstance(part, ast.FormattedValue)
    conversion = ast.Constant(None if part.conversion == -1 else chr(part.conversion))
    return runtime_call("field", part.value, conversion, part.format_spec or ast.Constant(""))


def _with_options(replacement: str, function: ast.expr, call: ast.Call) -> ast.Call:
    """`__edgec__.replacement(function, (arguments…), {keyword: …})`."""
    keys: list[ast.expr | None] = [ast.Constant(k.arg) if k.arg else None for k in call.keywords]
    options = ast.Dict(keys, [k.value for k in call.keywords])
    return runtime_call(replacement, function, ast.Tuple(call.args, ast.Load()), options)


def _is_mathematical(function: ast.expr) -> bool:
    """Whether it may be a function of `math`, or `round`; the runtime decides when it is called."""
    if isinstance(function, ast.Attribute):
        return isinstance(function.value, ast.Name) and function.value.id == "math"
    return isinstance(function, ast.Name) and function.id in NAMES


def _fold_filter(call: ast.Call) -> None:
    """Turn filters into operands: `sum(a for … if c)` adds `a if c else 0`; `any` and `all` likewise."""
    called = call.func.id if isinstance(call.func, ast.Name) else ""
    made = call.args[0] if len(call.args) == 1 else None
    if called not in ("sum", "any", "all") or not isinstance(made, ast.GeneratorExp | ast.ListComp):
        return
    (last, *others) = reversed(made.generators)
    if not last.ifs or any(g.ifs for g in others) or _binds(made):
        return
    test = last.ifs[0] if len(last.ifs) == 1 else ast.BoolOp(ast.And(), last.ifs)
    if called == "sum":
        made.elt = placed(ast.IfExp(test, made.elt, ast.Constant(0)), made.elt)
    elif called == "any":
        made.elt = placed(ast.BoolOp(ast.And(), [test, made.elt]), made.elt)
    else:
        made.elt = placed(ast.BoolOp(ast.Or(), [ast.UnaryOp(ast.Not(), test), made.elt]), made.elt)
    last.ifs = []


def _binds(node: ast.AST) -> bool:
    """Whether it binds a name or awaits, which cannot be moved into a function."""
    return any(isinstance(n, ast.NamedExpr | ast.Await | ast.Yield) for n in ast.walk(node))
