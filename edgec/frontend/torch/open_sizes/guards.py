"""The assumptions of a trace about dynamic sizes, and the line of the model that causes each.

torch proves assumptions for a whole range by algebra, and rejects what it cannot prove, such as that no window of a
pool with `ceil_mode` starts beyond the end. Ranges are small: `narrowing` tests each size.
"""

from __future__ import annotations

import linecache
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import CodeType, FrameType
from typing import Any

import sympy  # type: ignore[import-untyped]
import torch
from torch._dynamo.source import TensorProperty, TensorPropertySource
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import _trace
from torch.fx.experimental.symbolic_shapes import EqualityConstraint, ShapeEnv, is_concrete_int
from torch.utils._sympy.interp import sympy_interp
from torch.utils._sympy.printers import PythonPrinter
from torch.utils._sympy.reference import PythonReferenceAnalysis

from edgec.diag import Place
from edgec.frontend.torch.autograph.operators.escapes import NumberOfSizeError
from edgec.frontend.torch.frames import EDGEC, is_of_model, line_of_model
from edgec.frontend.torch.open_sizes.expressions import shorten
from edgec.frontend.torch.patches import Patches

_PYTHON = {"math": math, "torch": torch, "max": max, "min": min, "abs": abs, "float": float, "int": int, "round": round}
"""The functions that torch's Python code for an expression calls."""


class _OfNumbers(PythonReferenceAnalysis):
    """Evaluates extrema directly: torch's own version is subject to active modes."""

    maximum = staticmethod(max)
    minimum = staticmethod(min)


@dataclass(frozen=True)
class Assumption:
    """A condition on sizes. `names` are the dynamic dimensions of its symbols, counted in multiples of `units`."""

    condition: Any
    names: Mapping[Any, str]
    units: dict[Any, int]
    place: Place | None

    @property
    def dims(self) -> frozenset[str]:
        """The names of the dimensions in the condition."""
        return frozenset(self.names.values())

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether it is true at these sizes, by name."""
        known = {symbol: sizes[name] // self.units[symbol] for symbol, name in self.names.items()}
        try:
            return self._compiled(known)
        except ZeroDivisionError:
            return False

    @cached_property
    def _compiled(self) -> Callable[[dict[Any, int]], bool]:
        """The condition as Python code by torch's printer, or by its interpreter if the code cannot be run."""
        try:
            code = compile(PythonPrinter().doprint(self.condition), "<condition>", "eval")
        except Exception:  # private classes of the printer, for unsupported functions
            return lambda known: bool(sympy_interp(_OfNumbers, known, self.condition))
        return lambda known: self._run(code, known)

    def _run(self, code: CodeType, known: dict[Any, int]) -> bool:
        try:
            return bool(eval(code, dict(_PYTHON), {str(s): size for s, size in known.items()}))
        except (NameError, TypeError, SyntaxError):
            return bool(sympy_interp(_OfNumbers, known, self.condition))


class Assumed:
    """While active, `check` receives the assumptions of each trace, instead of torch proving them.

    As of torch 2.13, `ShapeEnv._log_guard` receives each condition, and `produce_guards_and_solve_constraints` proves
    them at the end of a trace, which takes minutes for some models and only then considers that sizes are multiples,
    which decides many of them: here that is known from the start. torch's `int(size)` specializes a dynamic size; here
    it raises `NumberOfSizeError`, so that the caller is rewritten.
    """

    def __init__(self, check: Callable[[Assumed], None]) -> None:
        self._check = check
        self._env: ShapeEnv | None = None
        self._asked: list[tuple[Any, Place | None]] = []
        self._first: list[Sequence[Any]] = []
        self._left: set[CodeType] = set()
        self._patches = Patches()

    def __enter__(self) -> Assumed:
        log = ShapeEnv._log_guard

        def noted(env: ShapeEnv, prefix: str, condition: Any, **more: Any) -> Any:
            if prefix == "eval":  # others are not assumptions
                self._begin(env)
                self._asked.append((condition, line_of_model(sys._getframe(1))))
            return log(env, prefix, condition, **more)

        def proven(fake_mode: FakeTensorMode, **rest: Any) -> None:
            if fake_mode.shape_env is not None:
                self._begin(fake_mode.shape_env)
                fake_mode.shape_env.frozen = True
            self._check(self)

        faked = _trace.make_fake_inputs  # type: ignore[attr-defined]

        def in_multiples(*args: Any, **kwargs: Any) -> Any:
            made = faked(*args, **kwargs)  # type: ignore[no-untyped-call]
            env = made[0].shape_env
            _assume_multiples(env, next(v for v in made if isinstance(v, EqualityConstraint)))
            self._first = [
                [getattr(getattr(size, "node", None), "expr", None) for size in f.shape] for f in _fakes(env)
            ]
            return made

        for kind in (torch.SymInt, torch.SymFloat):
            self._patches.replace(f"torch.{kind.__name__}.__int__", self._whole(kind.__int__))
        self._patches.replace("torch.SymInt.__index__", self._counted(torch.SymInt.__index__))
        shorten(self._patches)
        self._patches.replace("torch.export._trace.make_fake_inputs", in_multiples)
        self._patches.replace("torch.fx.experimental.symbolic_shapes.ShapeEnv._log_guard", noted)
        self._patches.replace("torch.export._trace.produce_guards_and_solve_constraints", proven)
        return self

    def __exit__(self, *failure: object) -> None:
        self._patches.undo()

    def _whole(self, ordinary: Callable[[Any], int]) -> Callable[[Any], int]:
        """`int(size)` in code that is not or cannot be rewritten."""

        def whole(size: Any) -> int:
            caller = sys._getframe(1).f_code
            if caller not in self._left and is_of_model(caller.co_filename):
                raise NumberOfSizeError(self._left)
            return ordinary(size)

        return whole

    def _counted(self, ordinary: Callable[[Any], int]) -> Callable[[Any], int]:
        """`range(size)` in a `for` of the model."""

        def counted(size: Any) -> int:
            frame = _users_frame(sys._getframe(1))
            if frame is None or frame.f_code in self._left or is_concrete_int(size):
                return ordinary(size)
            if "for " in linecache.getline(frame.f_code.co_filename, frame.f_lineno):
                raise NumberOfSizeError(self._left, loop=True)
            return ordinary(size)

        return counted

    def _begin(self, env: ShapeEnv) -> None:
        """Each trace has its own environment; assumptions of earlier traces are discarded."""
        if env is not self._env:
            self._env, self._asked = env, []

    def listed(self, axes: Sequence[Mapping[int, str]]) -> list[Assumption]:
        """The assumptions on dynamic dimensions only, in trace order; `axes` names these for each input tensor."""
        names, units = self._symbols(axes)
        found: dict[Any, Assumption] = {}
        for condition, place in self._asked:
            symbols: set[Any] = getattr(condition, "free_symbols", set())
            if symbols and symbols <= set(names) and condition not in found:
                own = {s: names[s] for s in symbols}
                found[condition] = Assumption(condition, own, {s: units[s] for s in symbols}, place)
        return list(found.values())

    def _symbols(self, axes: Sequence[Mapping[int, str]]) -> tuple[dict[Any, str], dict[Any, int]]:
        """torch's original symbols for the dimensions, and the number of elements per unit of each symbol. An
        assumption of the trace may have replaced a symbol by a number since.
        """
        names: dict[Any, str] = {}
        units: dict[Any, int] = {}
        fakes = [] if self._env is None else _fakes(self._env)
        for fake, first, named in zip(fakes, self._first, axes, strict=False):
            for axis, name in named.items():
                node = getattr(fake.shape[axis], "node", None)
                for expression in (getattr(node, "_expr", None), getattr(node, "expr", None), first[axis]):
                    for symbol in getattr(expression, "free_symbols", ()):
                        names[symbol] = name
                        units[symbol] = int(expression.coeff(symbol)) or 1  # type: ignore[union-attr]
        return names, units


def _fakes(env: ShapeEnv) -> list[torch.Tensor]:
    return [tracked.fake for tracked in env.tracked_fakes or () if isinstance(tracked.fake, torch.Tensor)]


def _assume_multiples(env: ShapeEnv, known: EqualityConstraint) -> None:
    """Replace the symbol of each size that is a multiple by a multiple of another symbol."""
    for tracked in env.tracked_fakes or ():
        shape: Sequence[Any] = tracked.fake.shape if isinstance(tracked.fake, torch.Tensor) else ()
        for axis, size in enumerate(shape):
            own = TensorPropertySource(tracked.source, TensorProperty.SIZE, axis)
            for source, root, multiple in known.derived_equalities:
                if source == own and isinstance(root, sympy.Symbol):
                    env.evaluate_expr(sympy.Eq(size.node.expr, multiple(root)))


def _users_frame(frame: FrameType | None) -> FrameType | None:
    """The frame of the model that evaluates the condition, directly or through a runtime function."""
    while frame is not None and frame.f_code.co_filename.startswith(EDGEC):
        frame = frame.f_back
    return frame if frame is not None and is_of_model(frame.f_code.co_filename) else None
