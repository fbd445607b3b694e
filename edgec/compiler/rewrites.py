"""Which rewrites a source takes, and which it narrowly misses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgec.backends.table import backend
from edgec.compiler.options import BuildOptions, Progress, targets_of
from edgec.compiler.range_samples import within_ranges
from edgec.compiler.stages import lower, prepare
from edgec.frontend.source import SourceRequest
from edgec.ir.provenance import place_of
from edgec.passes.log import NearMiss


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


def rewrites(source: SourceRequest, name: str | None, options: BuildOptions, progress: Progress) -> Rewrites:
    """Canonicalize a source and, where a target is named, lower it. Raises `EdgecError` as a build does."""
    canonical = prepare(source, options, progress)
    log, misses = canonical.log, canonical.log.misses
    if name is not None:
        (target,) = targets_of([name], options)
        canonical, _ = within_ranges(canonical, target)
        log = lower(canonical, target, backend(target.backend, options.via)).log
        misses = [*misses, *log.misses]
    return Rewrites(dict(log.counts), tuple(_missed(misses)))


def _missed(misses: Iterable[NearMiss]) -> list[Missed]:
    """Near misses by rule and reason. Operators that another rewrite has taken since are no misses."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for miss in misses:
        if miss.node.graph is not None:
            place = str(place_of(miss.node)) or miss.node.name or "?"
            found.setdefault((miss.rule, miss.reason), {})[place] = None
    return [Missed(rule, reason, tuple(places)) for (rule, reason), places in found.items()]
