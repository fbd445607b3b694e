"""A row of a ledger: one demand, who makes it, where that is written, and how to see whether an artifact meets it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from edgec.diag import Diagnostic, Severity

ViewT = TypeVar("ViewT")


@dataclass(frozen=True)
class Breach:
    """A place in an artifact that does not meet a demand, and what is there."""

    where: str
    what: str


@dataclass(frozen=True)
class Row(Generic[ViewT]):
    """One demand on the artifacts that `check` takes a view of.

    `by`: the loader, compiler, runtime or delegate that demands it; `source`: where it is written; `versions`: for
    which of them it holds. Not met, the artifact is refused there (an error), or it is slower (a warning).
    """

    label: str
    demand: str
    by: str
    source: str
    check: Callable[[ViewT], Iterable[Breach]]
    versions: str = "all"
    severity: Severity = Severity.ERROR


@dataclass(frozen=True)
class Finding:
    """A row that an artifact does not meet, with every place."""

    label: str
    demand: str
    by: str
    source: str
    versions: str
    severity: Severity
    breaches: tuple[Breach, ...]

    def diagnostic(self) -> Diagnostic:
        """For a person: the first places, and how many more."""
        places = [f"{b.where}: {b.what}" if b.where else b.what for b in self.breaches[:_SHOWN]]
        more = len(self.breaches) - _SHOWN
        notes = (*places, *([f"and {more} more"] if more > 0 else []))
        said = f"{self.by} ({self.versions})" if self.versions != "all" else self.by
        return Diagnostic(
            "E0609" if self.severity is Severity.ERROR else "E0610",
            f"`{self.label}`: {self.demand}",
            notes=(*notes, f"demanded by {said}: {self.source}"),
            severity=self.severity,
        )


_SHOWN = 4


def examine(rows: Iterable[Row[ViewT]], view: ViewT) -> list[Finding]:
    """Every row that the artifact behind the view does not meet, in the ledger's order."""
    found = []
    for row in rows:
        breaches = tuple(row.check(view))
        if breaches:
            found.append(Finding(row.label, row.demand, row.by, row.source, row.versions, row.severity, breaches))
    return found
