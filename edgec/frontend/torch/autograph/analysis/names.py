"""The names that a piece of Python reads and binds."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

RUNTIME = "__edgec__"
"""The name of the runtime in rewritten functions."""

FLAG = "_edgec_stop_"
"""The prefix of variables that end a loop early."""

Node = TypeVar("Node", bound=ast.AST)

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def used(nodes: Iterable[ast.AST]) -> set[str]:
    """Every name read or bound inside, including in nested functions."""
    found = {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}
    inner = {n.name for node in nodes for n in ast.walk(node) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return found | inner


def read(nodes: Iterable[ast.AST]) -> set[str]:
    """Every name read inside; an augmented assignment reads its target."""
    found = set()
    for node in nodes:
        for n in ast.walk(node):
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load):
                found.add(n.id)
            if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name):
                found.add(n.target.id)
    return found


def has_own(statements: Sequence[ast.stmt], kinds: tuple[type[ast.AST], ...], *, into_loops: bool = True) -> bool:
    """Whether a statement of these kinds occurs, not counting nested functions (nor loops, unless `into_loops`)."""
    for statement in statements:
        if isinstance(statement, kinds):
            return True
        if isinstance(statement, _SCOPES) or (isinstance(statement, ast.For | ast.While) and not into_loops):
            continue
        for field in ("body", "orelse", "finalbody"):
            if has_own(getattr(statement, field, []), kinds, into_loops=into_loops):
                return True
        for handler in getattr(statement, "handlers", []):
            if has_own(handler.body, kinds, into_loops=into_loops):
                return True
    return False


def runtime_call(function: str, *arguments: ast.expr) -> ast.Call:
    """`__edgec__.function(arguments…)`."""
    return ast.Call(ast.Attribute(ast.Name(RUNTIME, ast.Load()), function, ast.Load()), list(arguments), [])


def assign(name: str, value: ast.expr) -> ast.Assign:
    """`name = value`."""
    return ast.Assign([ast.Name(name, ast.Store())], value)


def thunk(body: ast.expr, *parameters: str) -> ast.Lambda:
    """`lambda parameters…: body`."""
    arguments = [ast.arg(p) for p in parameters]
    return ast.Lambda(ast.arguments(posonlyargs=[], args=arguments, kwonlyargs=[], kw_defaults=[], defaults=[]), body)


def literal(value: Any) -> ast.expr:
    """A constant of any nesting, such as a tuple of names."""
    return ast.Constant(value)


def name(text: str) -> ast.Name:
    """A name, read."""
    return ast.Name(text, ast.Load())


def placed(node: Node, where: ast.AST) -> Node:
    """The node with the source location of another."""
    return ast.fix_missing_locations(ast.copy_location(node, where))
