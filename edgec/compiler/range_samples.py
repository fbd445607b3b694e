"""Samples within the known ranges of inputs, for which an artifact is built and judged."""

from __future__ import annotations

from dataclasses import replace

from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.input_ranges import with_ranges
from edgec.diag import Diagnostic, EdgecError, warning
from edgec.frontend.samples.ranged import at_ends, spread
from edgec.measure.samples import Sample
from edgec.spec.ranges import InputRange
from edgec.spec.target import Target

_SAID = frozenset({"request", "target", "image"})
"""Origins of ranges that were declared."""

_DRAWN = _SAID | {"type"}
"""Origins of ranges from which samples are drawn: a byte may have any value, if the source accepts it."""

_SEED = 1000


def within_ranges(prepared: CanonicalModel, target: Target) -> tuple[CanonicalModel, tuple[Diagnostic, ...]]:
    """Adds two samples if ranges are known: spread over them, and at their ends.

    A warning (E0211) reports those on which the source itself fails.
    """
    known = with_ranges(target, prepared.model, prepared.imported.ranges).ranges
    loops = any(branch.rounds is not None for branch in prepared.imported.branches)  # may not end on any byte
    ranges = [r for r in known if r.origin in (_SAID if loops else _DRAWN)]
    if not ranges:
        return prepared, ()
    examples = prepared.imported.examples
    found, refused = [], []
    for index, draw in enumerate((spread, at_ends)):
        inputs = draw(examples, ranges, _SEED + index)
        try:
            found.append(Sample(inputs, prepared.imported.reference.run(inputs)))
        except EdgecError as failure:
            refused.append(failure)
    said = [r for r in ranges if r.origin in _SAID]
    told = (_refused(said, refused[0]),) if refused and said else ()
    return replace(prepared, samples=[*prepared.samples, *found]), told


def _refused(ranges: list[InputRange], failure: EdgecError) -> Diagnostic:
    said = ", ".join(f"`{r.name}` from {r.low:g} to {r.high:g}" for r in ranges)
    return warning(
        "E0211",
        f"the source itself fails within the declared ranges: {said}",
        notes=[failure.diagnostics[0].message],
        help=["declare a range that the source accepts; ids must be smaller than the size of their table"],
    )
