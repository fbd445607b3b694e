"""Which rewrites a source takes, and which it narrowly misses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgec.backends.table import backend
from edgec.compiler.options import BuildOptions, Progress, options_of, targets_of
from edgec.compiler.range_samples import within_ranges
from edgec.compiler.stages import lower, prepare
from edgec.diag import error
from edgec.frontend.request import SourceRequest, source_name
from edgec.frontend.requested import sources_of
from edgec.ir.provenance import place_of
from edgec.passes.remarks import Missed as NearMiss
from edgec.passes.remarks import Remark, counted, only
from edgec.spec.project import ModelRequest


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


def rewrites_of(model: ModelRequest, progress: Progress) -> dict[str, Rewrites]:
    """The rewrites of a model's source, and behind it those of each of its functions, by name.

    Raises `EdgecError` E0101 for several targets, else as a build does.
    """
    if len(model.target) > 1:
        raise error("E0101", f"{len(model.target)} targets are given", help=["add one `--target`"])
    sources = sources_of(model)
    options = options_of(model, sources)
    target = model.target[0] if model.target else None
    named = [(source_name(sources.main), sources.main), *sources.functions]
    return {name: rewrites(source, target, options, progress) for name, source in named}


def rewrites(source: SourceRequest, name: str | None, options: BuildOptions, progress: Progress) -> Rewrites:
    """Canonicalize a source and, where a target is named, lower it. Raises `EdgecError` as a build does."""
    canonical = prepare(source, options, progress)
    remarks = canonical.remarks
    if name is not None:
        (target,) = targets_of([name], options)
        canonical, _ = within_ranges(canonical, target)
        remarks = lower(canonical, target, backend(target.backend, options.via)).remarks
    return Rewrites(counted(remarks), tuple(_missed(remarks)))


def _missed(remarks: Iterable[Remark]) -> list[Missed]:
    """Near misses by rule and reason. Operators that another rewrite has taken since are no misses."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for miss in only(NearMiss, remarks):
        if miss.node.graph is not None:
            place = str(place_of(miss.node)) or miss.node.name or "?"
            found.setdefault((miss.rule, miss.reason), {})[place] = None
    return [Missed(rule, reason, tuple(places)) for (rule, reason), places in found.items()]
