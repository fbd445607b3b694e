"""The rewrites that fire on a source, and those that nearly do."""

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
    """A rule that nearly fired, the reason why not, and where."""

    rule: str
    reason: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class Rewrites:
    """The rewrites of one source: firings by rule, and near misses at operators that remain in the end."""

    fired: dict[str, int]
    missed: tuple[Missed, ...]

    def document(self) -> dict[str, object]:
        """The document for `--json`."""
        missed = [{"rule": m.rule, "reason": m.reason, "places": list(m.places)} for m in self.missed]
        return {"fired": self.fired, "missed": missed}


def rewrites_of(model: ModelRequest, progress: Progress) -> dict[str, Rewrites]:
    """The rewrites of a model's source and of each of its functions, by name.

    Raises `EdgecError` E0101 for several targets, otherwise like a build.
    """
    if len(model.target) > 1:
        raise error("E0101", f"{len(model.target)} targets are given", help=["add one `--target`"])
    sources = sources_of(model)
    options = options_of(model, sources)
    target = model.target[0] if model.target else None
    named = [(source_name(sources.main), sources.main), *sources.functions]
    return {name: rewrites(source, target, options, progress) for name, source in named}


def rewrites(source: SourceRequest, name: str | None, options: BuildOptions, progress: Progress) -> Rewrites:
    """Canonicalize a source and, if a target is given, lower it. Raises `EdgecError` like a build."""
    canonical = prepare(source, options, progress)
    remarks = canonical.remarks
    if name is not None:
        (target,) = targets_of([name], options)
        canonical, _ = within_ranges(canonical, target)
        remarks = lower(canonical, target, backend(target.backend, options.via)).remarks
    return Rewrites(counted(remarks), tuple(_missed(remarks)))


def _missed(remarks: Iterable[Remark]) -> list[Missed]:
    """Near misses by rule and reason, except at operators that another rewrite has replaced."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for miss in only(NearMiss, remarks):
        if miss.node.graph is not None:
            place = str(place_of(miss.node)) or miss.node.name or "?"
            found.setdefault((miss.rule, miss.reason), {})[place] = None
    return [Missed(rule, reason, tuple(places)) for (rule, reason), places in found.items()]
