"""Core ML's passes: checks of integers and states, the channels-first layout, and float16."""

from __future__ import annotations

from typing import ClassVar

from edgec.backends.coreml.channels.layout import turn_tokens
from edgec.backends.coreml.channels.maker import NAME
from edgec.backends.coreml.integers import check_integers
from edgec.backends.coreml.precision.annotations import is_wide, keep_wide
from edgec.backends.coreml.precision.casts import to_half
from edgec.backends.coreml.precision.decision_margins import CLOSE, close_calls, decides
from edgec.backends.coreml.precision.error_accumulation import mark_sums
from edgec.backends.coreml.precision.mixed_precision import choose
from edgec.backends.coreml.precision.unbounded_inputs import undeclared
from edgec.backends.coreml.precision.value_ranges import keep_ranges, ranges_of
from edgec.backends.coreml.states import kept_states
from edgec.calibration.calibration import Calibration
from edgec.ir.model import Model, all_graphs
from edgec.passes.base import Pass
from edgec.passes.remarks import Remark, Told, fired
from edgec.spec.target import Target


class CheckInputs(Pass):
    """Check, without changes: integers beyond 32 bits are an error, inputs that may exceed the samples a note."""

    name = "inputs"

    def __init__(self, target: Target, calibration: Calibration) -> None:
        self.target, self.calibration = target, calibration

    def run(self, model: Model) -> list[Remark]:
        """Raises `EdgecError` E0401 for integers beyond 32 bits."""
        check_integers(model, self.calibration, self.target.ranges)
        return [Told(d) for d in undeclared(model, self.target, self.calibration.samples)]


class CheckStates(Pass):
    """Mark accumulating states for float16, before rewrites hide them, and check that Core ML supports all states."""

    name = "states"

    def __init__(self, target: Target) -> None:
        self.target = target

    def run(self, model: Model) -> list[Remark]:
        """Raises `EdgecError` E0401 with every state that Core ML does not support."""
        if self.target.numerics.compute == "float16":
            mark_sums(model)
        kept_states(model, self.target)
        return []


class TurnTokens(Pass):
    """Give tokens the channels-first layout, for the neural engine."""

    name = NAME

    def run(self, model: Model) -> list[Remark]:
        """New values get the ranges of the values whose elements they hold."""
        turning = turn_tokens(model)
        keep_ranges(model, ranges_of(model).renamed(turning.names))
        return fired(self.name, turning.operators)


class KeepWide(Pass):
    """Mark, without other changes, the operators that would overflow or lose too much in float16."""

    name = "float32-islands"
    needs: ClassVar[frozenset[str]] = frozenset({"ranges"})
    gives: ClassVar[frozenset[str]] = frozenset({"islands"})

    def __init__(self, target: Target) -> None:
        self.target = target

    def run(self, model: Model) -> list[Remark]:
        """One remark per operator, with its evidence; blocks of branches and loops are always float32."""
        islands = choose(model, self.target, ranges_of(model))
        keep_wide(islands.chosen)
        for graph in all_graphs(model):
            keep_wide(graph if graph is not model.graph else ())
        ranges = ranges_of(model)
        close = [node for node in model.graph if decides(node) and ranges.margin(node) < CLOSE]
        told = [Told(d) for d in close_calls(model, islands.chosen.keys(), close)]
        return [*islands.report(), *fired(self.name, len(islands.chosen)), *told]


class ToHalf(Pass):
    """Convert to float16, except for the marked operators."""

    name = "to-half"
    needs: ClassVar[frozenset[str]] = frozenset({"islands"})

    def __init__(self, target: Target) -> None:
        self.target = target

    def run(self, model: Model) -> list[Remark]:
        """All casts become explicit; states are float16 in the interface too."""
        kept = {name for state in kept_states(model, self.target) for name in (state.input, state.output)}
        to_half(model, [node for node in model.graph if is_wide(node)], kept)
        return []
