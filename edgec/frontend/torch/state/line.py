"""Finds the line of the source that changes a kept value, or whose results differ between runs, by tracing the source
while it runs.
"""

from __future__ import annotations

import dis
import inspect
import re
import sys
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import torch

from edgec.diag import Place as Line
from edgec.frontend.torch.state.locations import Place, is_same, is_same_tensor

Step = Callable[[FrameType, int, Any], bool]
"""Inspects a frame after one of its lines, and the value it returns there; returns whether the line was found."""


def line_of_change(place: Place, codes: Set[CodeType], run: Callable[[], object]) -> Line | None:
    """The line, among the functions with these codes, after which the location first holds another value."""
    before = place.read()
    kept = before.clone() if place.of_tensor else before

    def changed(*_: Any) -> bool:
        now = place.read()
        return now is not kept and not is_same(now, kept)

    return _found(changed, codes, run)


def line_that_writes(tensor: torch.Tensor, codes: Set[CodeType], run: Callable[[], object]) -> Line | None:
    """The line after which the tensor first has other elements, however they were written."""
    kept = tensor.detach().clone()
    return _found(lambda *_: not is_same_tensor(tensor.detach(), kept), codes, run)


def line_that_differs(codes: Set[CodeType], run: Callable[[], object]) -> Line | None:
    """The first line after which a second run has a different variable, or is at a different line, than the first."""
    first = _Steps()
    _found(first.note, codes, run)
    again = _Steps(expected=first.seen)
    return _found(again.differs, codes, run)


def _found(look: Step, codes: Set[CodeType], run: Callable[[], object]) -> Line | None:
    found: list[Line] = []

    def within(frame: FrameType, event: str, argument: Any, last: list[int]) -> Any:
        if not found and look(frame, last[-1], argument if event == "return" else None):
            found.append(Line(frame.f_code.co_filename, last[-1]))
        last[-1] = frame.f_lineno
        return None if found else lambda f, e, a: within(f, e, a, last)

    def begin(frame: FrameType, event: str, _: Any) -> Any:
        if found or frame.f_code not in codes:
            return None
        last = [frame.f_lineno]
        return lambda f, e, a: within(f, e, a, last)

    previous = sys.gettrace()
    sys.settrace(begin)
    try:
        run()
    finally:
        sys.settrace(previous)
    return found[0] if found else None


_NEAR = 1e-3
"""A difference, relative to the elements' magnitude, that is larger than rounding."""


@dataclass
class _Steps:
    """A run line by line: its position, and the magnitudes of the variables assigned since."""

    expected: list[Any] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)
    _known: dict[tuple[int, str], tuple[Any, int]] = field(default_factory=dict)

    def note(self, frame: FrameType, line: int, returned: Any) -> bool:
        """Record one step."""
        fresh = []
        for name, value in {**frame.f_locals, "return": returned}.items():
            key, state = (id(frame), name), (value, getattr(value, "_version", 0))
            known = self._known.get(key)
            if known is None or known[0] is not value or known[1] != state[1]:
                self._known[key] = state
                fresh.append((name, _size(value)))
        self.seen.append((frame.f_code, line, sorted(fresh, key=lambda f: f[0])))
        return False

    def differs(self, frame: FrameType, line: int, returned: Any) -> bool:
        """Whether this step differs from the `expected` one."""
        self.note(frame, line, returned)
        if len(self.seen) > len(self.expected):
            return True
        (code, at, values), (code_before, at_before, before) = self.seen[-1], self.expected[len(self.seen) - 1]
        if (code, at, [n for n, _ in values]) != (code_before, at_before, [n for n, _ in before]):
            return True
        return not all(map(_is_near, (v for _, v in values), (v for _, v in before)))


def _size(value: Any) -> Any:
    """Numbers that distinguish values of one kind: the magnitudes of a tensor's elements, or the number itself."""
    if isinstance(value, bool | int | float):
        return (float(value), abs(float(value)))
    if not isinstance(value, torch.Tensor) or value.layout is not torch.strided or value.is_complex():
        return None
    with torch.no_grad():
        whole = value.detach().double().nan_to_num(0, 0, 0)
        return (float(whole.sum()), float(whole.abs().sum()))


def _is_near(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    scale = max(a[1], b[1], 1e-12)
    return all(abs(x - y) <= _NEAR * scale for x, y in zip(a, b, strict=True))


def line_that_stores(codes: Set[CodeType]) -> Line | None:
    """The first line that assigns an attribute of an object from outside its function."""
    for code in _in_order(codes):
        loaded = ""
        for instruction in dis.get_instructions(code):
            if instruction.opname == "STORE_ATTR" and loaded in ("LOAD_GLOBAL", "LOAD_DEREF"):
                line = instruction.positions.lineno if instruction.positions else None
                return Line(code.co_filename, line or code.co_firstlineno)
            loaded = instruction.opname
    return None


def _in_order(codes: Set[CodeType]) -> list[CodeType]:
    return sorted(codes, key=lambda c: (c.co_filename, c.co_firstlineno))


def line_that_names(place: Place, codes: Set[CodeType]) -> Line | None:
    """The first line that writes to something with the location's name."""
    name = re.escape(place.name.rpartition(".")[2].partition("[")[0])
    for code in _in_order(codes):
        try:
            lines, first = inspect.getsourcelines(code)
        except (OSError, TypeError):
            continue
        for i, text in enumerate(lines):
            if re.search(rf"\b{name}\b(\[[^=]*\])?(\s*[-+*/]?=[^=]|\.(append|extend|add|update|insert)\()", text):
                return Line(code.co_filename, max(first, 1) + i)
    return None
