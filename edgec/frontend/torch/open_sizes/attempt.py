"""How a module of open sizes is traced, and what is done next where the trace does not hold for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edgec.frontend.dynamic import DynamicDim
from edgec.frontend.torch.open_sizes.guards import Assumption
from edgec.frontend.torch.open_sizes.narrowing import Narrowed, narrowed, refused_at
from edgec.frontend.torch.open_sizes.paths import Row, comparable, ways

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
