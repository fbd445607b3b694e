"""What is tried next where a trace does not hold for all open sizes: a more general way, multiples, another example."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edgec.diag import Diagnostic, EdgecError
from edgec.frontend.dynamic import DynamicDim
from edgec.frontend.imported import Captured
from edgec.frontend.running_sizes import comparable, sizes_that_run
from edgec.frontend.torch.dynamic_shapes import agrees_at
from edgec.frontend.torch.range_narrowing import FixedError, Narrowed, narrowed, refused_at
from edgec.frontend.torch.shape_guards import Assumption
from edgec.frontend.ways import Row, ways

if TYPE_CHECKING:
    from edgec.frontend.torch.export import ExportRequest

_TRACES = 3
"""Traces until the way of other sizes is taken as it is."""


class MoreGeneralError(Exception):
    """The trace takes a way of few sizes; that of the sizes `general` may fit all."""

    def __init__(self, general: Row) -> None:
        super().__init__(general)
        self.general = general


class NarrowedError(Exception):
    """The trace holds for fewer sizes than were asked for."""

    def __init__(self, narrower: Narrowed) -> None:
        super().__init__(narrower)
        self.narrower = narrower


@dataclass
class Attempt:
    """How a module of open sizes is traced, and what the trace is found to take for granted.

    `traced_at`: sizes by name other than the example's. `is_lenient`: a condition that fails at some sizes is no fault
    where source and graph agree there, at `rows`. `apart`: of each dimension one such size. `narrow`: the sizes for
    which everything holds that the first trace assumed.
    """

    traced_at: Mapping[str, int] = field(default_factory=dict)
    is_lenient: bool = False
    traces: int = 0
    rows: list[Row] = field(default_factory=list)
    apart: Row = field(default_factory=dict)
    narrow: Callable[[], Narrowed] | None = None

    def check(self, dims: Sequence[DynamicDim], assumed: Sequence[Assumption], traced: Mapping[str, int]) -> None:
        """Judge what a trace at the sizes `traced` assumed.

        Raises `MoreGeneralError`, `NarrowedError`, `EdgecError` E0202.
        """
        found = ways(dims, assumed, traced)
        if not (self.is_lenient and found.rows and all(comparable(row, traced) for row in found.rows)):
            narrower = narrowed(dims, assumed, traced)
            if narrower.dims != tuple(dims):
                raise NarrowedError(narrower)
            if found.rows:
                raise refused_at(found.rows[0], assumed, dims, traced)
            return
        self.traces += 1
        self.narrow = self.narrow or (lambda: narrowed(dims, assumed, traced))
        self.rows += [row for row in found.rows if row not in self.rows]
        self.apart = found.apart
        if found.general != traced and self.traces < _TRACES:
            raise MoreGeneralError(found.general)


@dataclass
class _Tries:
    """The request as it is to be exported next, and what is told when it succeeds."""

    request: ExportRequest
    told: dict[str, Diagnostic]
    first: FixedError | None = None

    def narrowed(self, narrower: Narrowed) -> None:
        """Export for fewer sizes."""
        traced_at = {} if self.request.attempt.is_lenient else self.request.attempt.traced_at
        self.request = replace(self.request, dynamic=narrower.dims, attempt=Attempt(traced_at))
        self.told |= narrower.told

    def elsewhere(self, refused: FixedError) -> None:
        """Export once at sizes of many factors. Raises the first refusal the second time."""
        if self.first is not None:
            raise self.first
        self.first = refused
        self.request = replace(self.request, attempt=Attempt(refused.elsewhere))

    def strictly(self, narrow: Callable[[], Narrowed]) -> None:
        """Export for the sizes for which the first trace holds."""
        try:
            self.narrowed(narrow())
        except FixedError as refused:
            self.elsewhere(refused)


def export_open(request: ExportRequest, export: Callable[[ExportRequest], Captured]) -> Captured:
    """Export for every size that was asked for, or for the multiples at which the source runs and does the same, with
    a warning. Raises `EdgecError` E0202 with the line where there are none.
    """
    running = sizes_that_run(request)
    tries = _Tries(replace(request, dynamic=running.dims, attempt=Attempt(is_lenient=True)), dict(running.told))
    while True:
        attempt = tries.request.attempt
        try:
            found = export(tries.request)
        except MoreGeneralError as more:
            attempt.traced_at = more.general
        except NarrowedError as fewer:
            tries.narrowed(fewer.narrower)
        except FixedError as refused:
            tries.elsewhere(refused)
        except EdgecError as refused:
            if attempt.narrow is None:
                raise tries.first or refused from None
            tries.strictly(attempt.narrow)
        else:
            if attempt.narrow is None or agrees_at(found, attempt.rows):
                return _finished(found, attempt, tries.told)
            tries.strictly(attempt.narrow)


def _finished(found: Captured, attempt: Attempt, told: Mapping[str, Diagnostic]) -> Captured:
    dims = (replace(d, apart=(attempt.apart[d.name],) if d.name in attempt.apart else ()) for d in found.dynamic)
    return replace(found, dynamic=tuple(dims), warnings=(*found.warnings, *told.values()))
