"""Replaces the code of functions by its rewritten form, temporarily."""

from __future__ import annotations

import ast
import dis
import gc
import inspect
import textwrap
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import CodeType, FunctionType

from edgec.frontend.torch.autograph.analysis.names import RUNTIME
from edgec.frontend.torch.autograph.converters.early_exits import UnsupportedError
from edgec.frontend.torch.autograph.converters.exception_handlers import Told, catches
from edgec.frontend.torch.autograph.converters.functions import Rewriter, is_coroutine
from edgec.frontend.torch.autograph.converters.open_loops import OpenLoops
from edgec.frontend.torch.autograph.operators.control_flow import Runtime

_LAMBDA = "_edgec_lambda"


@dataclass
class Rewritten:
    """The functions rewritten so far, by their original code. `active` installs the rewritten code."""

    runtime: Runtime = field(default_factory=Runtime)
    _codes: dict[CodeType, CodeType] = field(default_factory=dict)
    _watched: dict[CodeType, CodeType] = field(default_factory=dict)
    _comparing: list[CodeType] = field(default_factory=list)
    _loops: dict[CodeType, set[int]] = field(default_factory=dict)

    def has(self, code: CodeType) -> bool:
        """Whether this code belongs to a rewritten function or to a function inside one."""
        return any(contains(new, code) for new in self._codes.values())

    def add(self, code: CodeType) -> None:
        """Rewrite the function with this code. Raises `UnsupportedError` with the reason if that is impossible."""
        self._codes[code] = _rewritten(code, self._loops.get(code, set()))

    def add_loop(self, code: CodeType, outer: CodeType, line: int) -> bool:
        """Rewrite the function `outer`, which contains `code`, to support a dynamic dimension in its loop on this line;
        False if that has been done already. Raises like `add`.
        """
        original = next((old for old, new in self._codes.items() if contains(new, code)), outer)
        lines = self._loops.setdefault(original, set())
        if line in lines:
            return False
        lines.add(line)
        self.add(original)
        return True

    def add_comparing(self) -> bool:
        """Rewrite the functions that test the type of a value, or whether it is `True`: a tensor that represents a
        number has no such type. False if that changes nothing, or if the trace has no such tensors.
        """
        pending = [code for code in self._comparing if not self.has(code)] if self.runtime.symbols else []
        self._comparing.clear()
        for code in pending:
            with suppress(UnsupportedError):
                self.add(code)
        return any(code in self._codes for code in pending)

    def constants(self) -> list[float]:
        """The constants in the functions, with which they may compare data."""
        return sorted({float(n) for code in self._codes for n in _numbers(code)})

    def watch(self, code: CodeType) -> None:
        """Instrument the function's exception handlers, if it has any, to record when they run."""
        if compares(code) and not is_coroutine(code):
            self._comparing.append(code)
        if code in self._codes or not catches(code) or is_coroutine(code) or code.co_name == "<lambda>":
            return
        with suppress(UnsupportedError):
            definition, telling = _definition(code), Told(code.co_filename)
            _Mangled(code.co_qualname).visit(definition)
            telling.visit(definition)
            made = _compiled(definition, code) if telling.count else code
            if telling.count and made.co_freevars == code.co_freevars:
                self._watched[code] = made

    @property
    def watches(self) -> bool:
        """Whether some function catches exceptions."""
        return bool(self._watched)

    @contextmanager
    def active(self, *, watching: bool = False) -> Iterator[None]:
        """While active, every function object with one of the codes runs the rewritten code."""
        swapped: list[tuple[FunctionType, CodeType]] = []
        try:
            for old, new in ((self._watched | self._codes) if watching else self._codes).items():
                for function in functions_of(old):
                    swapped.append((function, old))
                    function.__globals__[RUNTIME] = self.runtime
                    function.__code__ = new
            yield
        finally:
            for function, old in swapped:
                function.__code__ = old
                function.__globals__.pop(RUNTIME, None)


def compares(code: CodeType) -> bool:
    """Whether the function tests the type of a value, or its identity with an object other than None."""
    if {"isinstance", "type", "is_", "is_not"} & set(code.co_names):
        return True
    before = None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "MATCH_CLASS":
            return True
        if instruction.opname == "IS_OP" and isinstance(getattr(before, "argval", None), bool):
            return True
        before = instruction
    return any(compares(c) for c in code.co_consts if isinstance(c, CodeType))


def _numbers(code: CodeType) -> Iterator[int | float]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _numbers(constant)
        elif isinstance(constant, int | float) and not isinstance(constant, bool):
            yield constant


def functions_of(code: CodeType) -> list[FunctionType]:
    """Every function object that runs this code: one for a method, several for a closure."""
    return [f for f in gc.get_referrers(code) if isinstance(f, FunctionType) and f.__code__ is code]


def _rewritten(code: CodeType, loops: Set[int]) -> CodeType:
    if is_coroutine(code):
        raise UnsupportedError("it is a generator or a coroutine", code.co_firstlineno)
    definition = _lambda(code) if code.co_name == "<lambda>" else _definition(code)
    _Mangled(code.co_qualname).visit(definition)
    OpenLoops(loops).visit(definition)
    Rewriter(code).function(definition)
    made = _compiled(definition, code)
    if made.co_freevars != code.co_freevars:
        raise UnsupportedError("its closure would change", code.co_firstlineno)
    return made


def _definition(code: CodeType) -> ast.FunctionDef:
    try:
        lines, first = inspect.getsourcelines(code)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError, TypeError):
        raise UnsupportedError("its source is not available", code.co_firstlineno) from None
    ast.increment_lineno(tree, first - 1)
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise UnsupportedError("it is not a plain function", code.co_firstlineno)
    definition.decorator_list = []
    return definition


def _lambda(code: CodeType) -> ast.FunctionDef:
    """A lambda as a function definition; identified by its columns, since a line may contain several."""
    try:
        lines, _ = inspect.findsource(code)
        tree = ast.parse("".join(lines))
    except (OSError, SyntaxError, TypeError):
        raise UnsupportedError("its source is not available", code.co_firstlineno) from None
    places = {(line, column) for line, _, column, _ in code.co_positions() if line is not None and column is not None}
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and (node.body.lineno, node.body.col_offset) in places:
            inner = ast.Return(node.body)
            made = ast.FunctionDef(_LAMBDA, node.args, [ast.copy_location(inner, node.body)], [])
            return ast.fix_missing_locations(ast.copy_location(made, node))
    raise UnsupportedError("its source is not available", code.co_firstlineno)


def _compiled(definition: ast.FunctionDef, original: CodeType) -> CodeType:
    """Compile the definition inside a function that binds its free variables, so that they remain free."""
    free = ast.arguments(
        posonlyargs=[], args=[ast.arg(n) for n in original.co_freevars], kwonlyargs=[], kw_defaults=[], defaults=[]
    )
    outer = ast.FunctionDef("_edgec_outer", free, [definition], [])
    module = ast.fix_missing_locations(ast.Module([ast.copy_location(outer, definition)], []))
    compiled = compile(module, original.co_filename, "exec", dont_inherit=True)
    return _nested(_nested(compiled, "_edgec_outer"), definition.name).replace(co_qualname=original.co_qualname)


class _Mangled(ast.NodeTransformer):
    """Private names (`self.__x`), mangled as in the class that contained the function."""

    def __init__(self, qualified: str) -> None:
        parts = qualified.split(".")
        self._owner = parts[-2].lstrip("_") if len(parts) > 1 and parts[-2] != "<locals>" else ""

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        self.generic_visit(node)
        if self._owner and node.attr.startswith("__") and not node.attr.endswith("__"):
            node.attr = f"_{self._owner}{node.attr}"
        return node


def _nested(code: CodeType, name: str) -> CodeType:
    return next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == name)


def contains(outer: CodeType, code: CodeType) -> bool:
    """Whether `code` is `outer` or belongs to a function inside it."""
    return code is outer or any(contains(c, code) for c in outer.co_consts if isinstance(c, CodeType))
