"""`edgec inspect --rules`: which rewrites a source takes, and which it narrowly misses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgec.passes.log import RewriteLog

_PLACES = 3
"""Places shown of a rule that is missed for one reason at many."""


@dataclass(frozen=True)
class Missed:
    """A rule that nearly fired, the reason, and where."""

    rule: str
    reason: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class Rewrites:
    """What became of one source: firings by rule, and near misses at operators that are still there in the end."""

    fired: dict[str, int]
    missed: tuple[Missed, ...]

    def document(self) -> dict[str, object]:
        """As `--json` shows it."""
        missed = [{"rule": m.rule, "reason": m.reason, "places": list(m.places)} for m in self.missed]
        return {"fired": self.fired, "missed": missed}

    def lines(self) -> list[str]:
        """Two tables."""
        from edgec.rules.table import RULES

        said = {name: rule.summary() for name, rule in RULES.items()}
        rows = [[name, str(count), said.get(name, "")] for name, count in self.fired.items()]
        lines = aligned([["rule", "fired", "what it does"], *rows])
        if self.missed:
            rows = [[m.rule, str(len(m.places)), m.reason, _shortened(m.places)] for m in self.missed]
            lines += ["", *aligned([["nearly fired", "times", "why not", "at"], *rows])]
        return lines


def rewrites(ref: str, inputs: Sequence[str], target: str | None) -> Rewrites:
    """Canonicalize a source and, where a target is named, legalize it. Raises `EdgecError` as a build does."""
    from edgec.backends.table import backend
    from edgec.driver import BuildOptions, prepare
    from edgec.frontend.inputs import InputSpec
    from edgec.frontend.source import SourceRequest
    from edgec.spec.target import load_target

    loaded = None if target is None else load_target(target)
    specs = tuple(InputSpec.parse(i) for i in inputs)
    prepared = prepare(SourceRequest(ref, specs), BuildOptions(), lambda step: None)
    log = prepared.log
    if loaded is not None:
        backend(loaded.backend).legalize(prepared.model, loaded, log, [s.inputs for s in prepared.typical])
    return Rewrites(dict(log.counts), tuple(_missed(log)))


def _missed(log: RewriteLog) -> list[Missed]:
    """Near misses by rule and reason. Operators that another rewrite has taken since are no misses."""
    from edgec.ir.provenance import place_of

    found: dict[tuple[str, str], dict[str, None]] = {}
    for miss in log.misses:
        if miss.node.graph is not None:
            place = str(place_of(miss.node)) or miss.node.name or "?"
            found.setdefault((miss.rule, miss.reason), {})[place] = None
    return [Missed(rule, reason, tuple(places)) for (rule, reason), places in found.items()]


def _shortened(places: tuple[str, ...]) -> str:
    more = len(places) - _PLACES
    return "; ".join(places[:_PLACES]) + (f" and {more} more" if more > 0 else "")


def aligned(rows: list[list[str]]) -> list[str]:
    """Rows of cells as lines whose columns begin alike."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
