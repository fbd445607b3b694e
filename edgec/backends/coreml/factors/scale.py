"""The pass that holds activations as a power of two of themselves where float16 ends before they do."""

from __future__ import annotations

from typing import ClassVar

from edgec.backends.coreml.factors.plan import plan
from edgec.backends.coreml.factors.rewrite import rewrite
from edgec.backends.coreml.islands import BEYOND, choose
from edgec.backends.coreml.ranges import LARGEST, MARGIN, keep_ranges, ranges_of
from edgec.ir.model import Model
from edgec.passes.base import OptionalPass
from edgec.passes.remarks import Remark, fired
from edgec.spec.target import Target


class ScaleActivations(OptionalPass):
    """2^-k x is held instead of x, from the layer whose weights are 2^-k of theirs to one that takes the factor back.

    Results are equal but for rounding. The ranges of the new values are added.
    """

    name = "scaled-activations"
    needs: ClassVar[frozenset[str]] = frozenset({"ranges"})

    def __init__(self, target: Target) -> None:
        self.target = target

    def run(self, model: Model) -> list[Remark]:
        """Values of the main graph that were seen to leave float16's range."""
        ranges, end = ranges_of(model), LARGEST / MARGIN
        if all(seen.high <= end for seen in ranges.seen.values()):
            return []
        others = choose(model, self.target, ranges.ending(end)).chosen
        found = plan(model, ranges, {node for node, evidence in others.items() if evidence != BEYOND})
        keep_ranges(model, rewrite(model, found, self.name))
        return fired(self.name, len(found.exponents))
