"""Rewrites `match` as a chain of `if`, which the later passes handle."""

from __future__ import annotations

import ast
from itertools import count

from edgec.frontend.torch.autograph.analysis.names import assign


class Matches(ast.NodeTransformer):
    """Rewrites each `match` whose patterns are values, types, alternatives, names and `_`; others are kept."""

    def __init__(self) -> None:
        self._numbers = count()

    def visit_Match(self, node: ast.Match) -> ast.stmt | list[ast.stmt]:
        """The subject is evaluated once and stored in a new variable."""
        self.generic_visit(node)
        name = f"_edgec_subject_{next(self._numbers)}"
        tests = [_test(case, name) for case in node.cases]
        if any(test is None for test in tests):
            return node
        chain: list[ast.stmt] = []
        for case, test in zip(reversed(node.cases), reversed(tests), strict=True):
            assert test is not None
            body = [*_bound(case.pattern, name), *case.body]
            chain = body if isinstance(test, ast.Constant) and test.value is True else [ast.If(test, body, chain)]
        found = [assign(name, node.subject), *chain]
        return [ast.fix_missing_locations(ast.copy_location(s, node)) for s in found]


def _test(case: ast.match_case, name: str) -> ast.expr | None:
    """The condition of a case. None if its pattern, or a guard on a name it binds, cannot be written as a condition."""
    found = _matches(case.pattern, name)
    if found is None or case.guard is None:
        return found
    guard = case.guard
    for bound in _bound(case.pattern, name):
        guard = _Renamed(_target(bound), name).visit(guard)
    always = isinstance(found, ast.Constant) and found.value is True
    return guard if always else ast.BoolOp(ast.And(), [found, guard])


class _Renamed(ast.NodeTransformer):
    """A guard in which the name bound by its case is replaced by the subject."""

    def __init__(self, old: str, new: str) -> None:
        self._old, self._new = old, new

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(ast.Name(self._new, node.ctx), node) if node.id == self._old else node


def _target(bound: ast.Assign) -> str:
    (target,) = bound.targets
    assert isinstance(target, ast.Name)
    return target.id


def _matches(pattern: ast.pattern, name: str) -> ast.expr | None:
    subject = ast.Name(name, ast.Load())
    match pattern:
        case ast.MatchValue():
            return ast.Compare(subject, [ast.Eq()], [pattern.value])
        case ast.MatchSingleton():
            return ast.Compare(subject, [ast.Is()], [ast.Constant(pattern.value)])
        case ast.MatchClass(patterns=[], kwd_patterns=[]):
            return ast.Call(ast.Name("isinstance", ast.Load()), [subject, pattern.cls], [])
        case ast.MatchAs(pattern=None):
            return ast.Constant(True)
        case ast.MatchOr():
            parts = [_matches(p, name) for p in pattern.patterns]
            known = [p for p in parts if p is not None]
            return ast.BoolOp(ast.Or(), known) if len(known) == len(parts) else None
    return None


def _bound(pattern: ast.pattern, name: str) -> list[ast.Assign]:
    """The assignments of a case that binds the subject, such as `case other:`."""
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is None and pattern.name:
        return [assign(pattern.name, ast.Name(name, ast.Load()))]
    return []
