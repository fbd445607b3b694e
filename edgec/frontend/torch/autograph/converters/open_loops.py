"""Loops over a dynamic dimension, rewritten as `for place in range(…)`, which becomes a loop of the graph.

Only loops in which torch failed are rewritten, identified by line: all others remain Python loops.
"""

from __future__ import annotations

import ast
from collections.abc import Set
from itertools import count

from edgec.frontend.torch.autograph.analysis.names import assign, name, placed, runtime_call, thunk

_WRAPPERS = {"enumerate": "enumerated", "zip": "zipped", "reversed": "backwards", "range": "counted"}


class OpenLoops(ast.NodeTransformer):
    """Rewrites `for` statements and list comprehensions whose iterables are on these lines."""

    def __init__(self, lines: Set[int]) -> None:
        self._lines = lines
        self._numbers = count()

    def visit_For(self, loop: ast.For) -> ast.stmt | list[ast.stmt]:
        """`for x in xs` becomes `for place in range(extent(xs))`, with `x = xs[place]`."""
        self.generic_visit(loop)
        if not self._is_open(loop.iter) or (_is_call(loop.iter, "range") and isinstance(loop.target, ast.Name)):
            return loop
        number = next(self._numbers)
        elements, place = f"_edgec_elements_{number}", f"_edgec_place_{number}"
        taken = ast.Assign([loop.target], ast.Subscript(name(elements), name(place), ast.Load()))
        extent = ast.Call(name("range"), [runtime_call("extent", name(elements))], [])
        turned = ast.For(ast.Name(place, ast.Store()), extent, [taken, *loop.body], loop.orelse)
        return [placed(assign(elements, _elements(loop.iter)), loop), placed(turned, loop)]

    def visit_ListComp(self, made: ast.ListComp) -> ast.expr:
        """`[f(x) for x in xs]`."""
        self.generic_visit(made)
        (first, *others) = made.generators
        if others or first.ifs or first.is_async or not self._is_open(first.iter):
            return made
        body, parameter = made.elt, "_edgec_element"
        if isinstance(first.target, ast.Name):
            function = thunk(body, first.target.id)
        elif isinstance(first.target, ast.Tuple) and all(isinstance(t, ast.Name) for t in first.target.elts):
            inner = thunk(body, *(t.id for t in first.target.elts if isinstance(t, ast.Name)))
            function = thunk(ast.Call(inner, [ast.Starred(name(parameter), ast.Load())], []), parameter)
        else:
            return made
        return placed(runtime_call("mapped", function, _elements(first.iter), ast.Constant(made.lineno)), made)

    def _is_open(self, iterable: ast.expr) -> bool:
        last = iterable.end_lineno or iterable.lineno
        return any(iterable.lineno <= line <= last for line in self._lines)


def _is_call(node: ast.expr, function: str) -> bool:
    plain = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords
    return plain and node.func.id == function  # type: ignore[attr-defined]


def _elements(iterable: ast.expr) -> ast.expr:
    """The iterable of the loop; built-in iterators such as `zip` are replaced by indexable ones."""
    for function, kept in _WRAPPERS.items():
        if _is_call(iterable, function):
            assert isinstance(iterable, ast.Call)
            own = iterable.args if function == "range" else [*map(_elements, iterable.args[:1]), *iterable.args[1:]]
            if function == "zip":
                own = [_elements(part) for part in iterable.args]
            return runtime_call(kept, *own)
    return runtime_call("elements", iterable)
