"""Moves `:=` out of conditions into assignments before them, which the later passes handle."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import count

from edgec.frontend.torch.autograph.analysis.names import assign, runtime_call

Statements = list[ast.stmt]


class Walrus(ast.NodeTransformer):
    """Rewrites each `if`, `while` and simple statement whose expression binds names; `:=` elsewhere is kept."""

    def __init__(self) -> None:
        self._numbers = count()

    def visit_If(self, node: ast.If) -> ast.stmt | Statements:
        """Later operands of `and` and `or` are evaluated, and bind, only if the earlier ones require it."""
        self.generic_visit(node)
        before, node.test = self._parts(node.test)
        return _placed([*before, node], node)

    def visit_While(self, node: ast.While) -> ast.stmt | Statements:
        """The test is evaluated at the start of each iteration."""
        self.generic_visit(node)
        before, test = self._parts(node.test)
        if not before or node.orelse:
            return node
        leave = ast.If(ast.UnaryOp(ast.Not(), test), [ast.Break()], [])
        return _placed([ast.While(ast.Constant(True), [*before, leave, *node.body], [])], node)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | Statements:
        """Move the bindings of the statement's expression before it."""
        return self._plain(node)

    def visit_Return(self, node: ast.Return) -> ast.stmt | Statements:
        """See `visit_Assign`."""
        return self._plain(node)

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | Statements:
        """See `visit_Assign`."""
        return self._plain(node)

    def _plain(self, node: ast.Assign | ast.Return | ast.Expr) -> ast.stmt | Statements:
        if node.value is None or not _binds(node.value):
            return node
        before, node.value = _hoisted(node.value)
        return _placed([*before, node], node)

    def _parts(self, test: ast.expr) -> tuple[Statements, ast.expr]:
        """The statements needed before a condition, and the remaining condition."""
        if not _binds(test):
            return [], test
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            before, operand = self._parts(test.operand)
            return before, ast.UnaryOp(ast.Not(), operand)
        if not isinstance(test, ast.BoolOp):
            return _hoisted(test)
        name = f"_edgec_part_{next(self._numbers)}"
        done, first = self._parts(test.values[0])
        done.append(assign(name, _truth(first)))
        inner = done
        for value in test.values[1:]:
            before, part = self._parts(value)
            asked: ast.expr = ast.Name(name, ast.Load())
            asked = asked if isinstance(test.op, ast.And) else ast.UnaryOp(ast.Not(), asked)
            following: Statements = [*before, assign(name, _truth(part))]
            inner.append(ast.If(asked, following, []))
            inner = following
        return done, ast.Name(name, ast.Load())


def _hoisted(expression: ast.expr) -> tuple[Statements, ast.expr]:
    """The bindings that are always evaluated, as assignments; the others are kept."""
    taker = _Hoist()
    rest = taker.visit(expression)
    return taker.found, rest


class _Hoist(ast.NodeTransformer):
    """Extracts bindings, except from expressions evaluated conditionally or in their own scope."""

    def __init__(self) -> None:
        self.found: Statements = []

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        node.value = self.visit(node.value)
        self.found.append(assign(node.target.id, node.value))
        return ast.Name(node.target.id, ast.Load())

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        node.values[0] = self.visit(node.values[0])
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        node.test = self.visit(node.test)
        return node

    def _kept(self, node: ast.expr) -> ast.expr:
        return node

    visit_Lambda = visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _kept  # noqa: N815


def _binds(node: ast.AST) -> bool:
    return any(isinstance(n, ast.NamedExpr) for n in ast.walk(node))


def _truth(test: ast.expr) -> ast.expr:
    return runtime_call("number", ast.Name("bool", ast.Load()), test)


def _placed(statements: Sequence[ast.stmt], where: ast.stmt) -> Statements:
    return [ast.fix_missing_locations(ast.copy_location(s, where)) for s in statements]
