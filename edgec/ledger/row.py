"""A row of a ledger: one requirement, who imposes it, its source, and the check whether an artifact meets it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from edgec.diag import Diagnostic, Severity

ViewT = TypeVar("ViewT")


@dataclass(frozen=True)
class Breach:
    """A location in an artifact that violates a requirement, and what was found there."""

    where: str
    what: str


@dataclass(frozen=True)
class Row(Generic[ViewT]):
    """One requirement for an artifact; `check` finds the violations in a view of it.

    `by`: the loader, compiler, runtime or delegate that requires it; `source`: where that is documented; `versions`:
    the versions for which it holds. A violation makes it refuse the artifact (an error) or run it slower (a warning).
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
    """A row that an artifact violates, with all locations."""

    label: str
    demand: str
    by: str
    source: str
    versions: str
    severity: Severity
    breaches: tuple[Breach, ...]

    def diagnostic(self) -> Diagnostic:
        """The finding as a diagnostic: the first locations, and the number of others."""
        places = [f"{b.where}: {b.what}" if b.where else b.what for b in self.breaches[:_SHOWN]]
        more = len(self.breaches) - _SHOWN
        notes = (*places, *([f"and {more} more"] if more > 0 else []))
        said = f"{self.by} ({self.versions})" if self.versions != "all" else self.by
        return Diagnostic(
            "E0609" if self.severity is Severity.ERROR else "E0610",
            f"`{self.label}`: {self.demand}",
            notes=(*notes, f"required by {said}: {self.source}"),
            severity=self.severity,
        )


_SHOWN = 4


def examine(rows: Iterable[Row[ViewT]], view: ViewT) -> list[Finding]:
    """All rows that the artifact violates, in the ledger's order."""
    found = []
    for row in rows:
        breaches = tuple(row.check(view))
        if breaches:
            found.append(Finding(row.label, row.demand, row.by, row.source, row.versions, row.severity, breaches))
    return found
