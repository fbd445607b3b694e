"""What is tried next where a trace does not hold for all open sizes: a more general way, multiples, another example."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from edgec.diag import Diagnostic, EdgecError
from edgec.frontend.imported import ImportedModel
from edgec.frontend.torch.open_sizes.attempt import Attempt, MoreGeneralError, NarrowedError
from edgec.frontend.torch.open_sizes.dynamic_shapes import agrees_at
from edgec.frontend.torch.open_sizes.narrowing import FixedError, Narrowed
from edgec.frontend.torch.open_sizes.running import sizes_that_run
from edgec.frontend.torch.request import ExportRequest


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


def export_open(request: ExportRequest, export: Callable[[ExportRequest], ImportedModel]) -> ImportedModel:
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


def _finished(found: ImportedModel, attempt: Attempt, told: Mapping[str, Diagnostic]) -> ImportedModel:
    dims = (replace(d, apart=(attempt.apart[d.name],) if d.name in attempt.apart else ()) for d in found.dynamic)
    return replace(found, dynamic=tuple(dims), warnings=(*found.warnings, *told.values()))
