"""One attempt to trace a module with dynamic sizes, and what to try if the trace is not valid for all sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edgec.frontend.dynamic import DynamicDim
from edgec.frontend.torch.open_sizes.guards import Assumption
from edgec.frontend.torch.open_sizes.narrowing import Narrowed, narrowed, refused_at
from edgec.frontend.torch.open_sizes.paths import Row, comparable, ways

_TRACES = 3
"""The number of traces after which the path of other sizes is accepted as it is."""


class MoreGeneralError(Exception):
    """The trace takes a path valid for few sizes; the path at the sizes `general` may be valid for all."""

    def __init__(self, general: Row) -> None:
        super().__init__(general)
        self.general = general


class NarrowedError(Exception):
    """The trace is valid only for a subset of the requested sizes."""

    def __init__(self, narrower: Narrowed) -> None:
        super().__init__(narrower)
        self.narrower = narrower


@dataclass
class Attempt:
    """How a module with dynamic sizes is traced, and what the trace is found to assume.

    `traced_at`: sizes by name other than the example's. `is_lenient`: a condition that fails at some sizes is accepted
    if source and graph agree there, at `rows`. `apart`: for each dimension one such size. `narrow`: the sizes for which
    all assumptions of the first trace hold.
    """

    traced_at: Mapping[str, int] = field(default_factory=dict)
    is_lenient: bool = False
    traces: int = 0
    rows: list[Row] = field(default_factory=list)
    apart: Row = field(default_factory=dict)
    narrow: Callable[[], Narrowed] | None = None

    def check(self, dims: Sequence[DynamicDim], assumed: Sequence[Assumption], traced: Mapping[str, int]) -> None:
        """Check the assumptions of a trace at the sizes `traced`.

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
