"""The pass that scales activations beyond float16's range by powers of two."""

from __future__ import annotations

from typing import ClassVar

from edgec.backends.coreml.precision.activation_scaling.plan import plan
from edgec.backends.coreml.precision.activation_scaling.rewrite import rewrite
from edgec.backends.coreml.precision.mixed_precision import BEYOND, choose
from edgec.backends.coreml.precision.value_ranges import LARGEST, MARGIN, keep_ranges, ranges_of
from edgec.ir.model import Model
from edgec.passes.base import OptionalPass
from edgec.passes.remarks import Remark, fired
from edgec.spec.target import Target


class ScaleActivations(OptionalPass):
    """Computes 2^-k x instead of x, between a layer whose weights are scaled by 2^-k and one that undoes the factor.

    Results are equal up to rounding. The ranges of the new values are added.
    """

    name = "scaled-activations"
    needs: ClassVar[frozenset[str]] = frozenset({"ranges"})

    def __init__(self, target: Target) -> None:
        self.target = target

    def run(self, model: Model) -> list[Remark]:
        """Applies to values of the main graph that exceeded float16's range on the samples."""
        ranges, end = ranges_of(model), LARGEST / MARGIN
        if all(seen.high <= end for seen in ranges.seen.values()):
            return []
        others = choose(model, self.target, ranges.ending(end)).chosen
        found = plan(model, ranges, {node for node, evidence in others.items() if evidence != BEYOND})
        keep_ranges(model, rewrite(model, found, self.name))
        return fired(self.name, len(found.exponents))
