"""The line of the source that changes a kept value, found by watching the place while the source runs."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Set
from types import CodeType, FrameType
from typing import Any

from edgec.diag import Place as Line
from edgec.frontend.memory.places import Place, is_same


def line_of_change(place: Place, codes: Set[CodeType], run: Callable[[], object]) -> Line | None:
    """The line, among the functions with these codes, behind which the place first holds something else."""
    before = place.read()
    kept = before.clone() if place.of_tensor else before
    found: list[Line] = []

    def changed() -> bool:
        now = place.read()
        return now is not kept and not is_same(now, kept)

    def within(frame: FrameType, event: str, _: Any, last: list[int]) -> Any:
        if not found and changed():
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


def line_that_names(place: Place, codes: Set[CodeType]) -> Line | None:
    """The first line that writes to something of the place's name."""
    name = re.escape(place.name.rpartition(".")[2].partition("[")[0])
    for code in sorted(codes, key=lambda c: (c.co_filename, c.co_firstlineno)):
        try:
            lines, first = inspect.getsourcelines(code)
        except (OSError, TypeError):
            continue
        for i, text in enumerate(lines):
            if re.search(rf"\b{name}\b(\[[^=]*\])?(\s*[-+*/]?=[^=]|\.(append|extend|add|update|insert)\()", text):
                return Line(code.co_filename, max(first, 1) + i)
    return None
