"""Further attempts if a trace is not valid for all sizes: a more general path, multiples, another example."""

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
    """The next request to export, and the notes if it succeeds."""

    request: ExportRequest
    told: dict[str, Diagnostic]
    first: FixedError | None = None

    def narrowed(self, narrower: Narrowed) -> None:
        """Export for fewer sizes."""
        traced_at = {} if self.request.attempt.is_lenient else self.request.attempt.traced_at
        self.request = replace(self.request, dynamic=narrower.dims, attempt=Attempt(traced_at))
        self.told |= narrower.told

    def elsewhere(self, refused: FixedError) -> None:
        """Export once at sizes with many factors. Raises the first refusal the second time."""
        if self.first is not None:
            raise self.first
        self.first = refused
        self.request = replace(self.request, attempt=Attempt(refused.elsewhere))

    def strictly(self, narrow: Callable[[], Narrowed]) -> None:
        """Export for the sizes for which the first trace is valid."""
        try:
            self.narrowed(narrow())
        except FixedError as refused:
            self.elsewhere(refused)


def export_open(request: ExportRequest, export: Callable[[ExportRequest], ImportedModel]) -> ImportedModel:
    """Export for every requested size, or, with a warning, for the multiples at which the source runs and agrees.
    Raises `EdgecError` E0202 with the line if there are none.
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
