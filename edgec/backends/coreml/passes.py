"""Core ML's own passes: what integers and states it holds, the neural engine's form, and float16."""

from __future__ import annotations

from typing import ClassVar

from edgec.backends.coreml.beyond import undeclared
from edgec.backends.coreml.channels.layout import turn_tokens
from edgec.backends.coreml.channels.maker import NAME
from edgec.backends.coreml.close_calls import CLOSE, close_calls, decides
from edgec.backends.coreml.integers import check_integers
from edgec.backends.coreml.islands import choose
from edgec.backends.coreml.marks import is_wide, keep_wide
from edgec.backends.coreml.precision import to_half
from edgec.backends.coreml.ranges import keep_ranges, ranges_of
from edgec.backends.coreml.recurrence import mark_sums
from edgec.backends.coreml.states import kept_states
from edgec.calibration.calibration import Calibration
from edgec.ir.model import Model, all_graphs
from edgec.passes.base import Pass
from edgec.passes.remarks import Remark, Told, fired
from edgec.spec.target import Target


class CheckInputs(Pass):
    """Nothing is changed: integers that leave 32 bits are refused, and inputs that may hold more than seen are told."""

    name = "inputs"

    def __init__(self, target: Target, calibration: Calibration) -> None:
        self.target, self.calibration = target, calibration

    def run(self, model: Model) -> list[Remark]:
        """Raises `EdgecError` E0401 for integers beyond 32 bits."""
        check_integers(model, self.calibration, self.target.ranges)
        return [Told(d) for d in undeclared(model, self.target, self.calibration.samples)]


class CheckStates(Pass):
    """States that add up are marked for float16, before rewriting hides them; what cannot be a state is refused."""

    name = "states"

    def __init__(self, target: Target) -> None:
        self.target = target

    def run(self, model: Model) -> list[Remark]:
        """Raises `EdgecError` E0401 with every state that Core ML cannot hold."""
        if self.target.numerics.compute == "float16":
            mark_sums(model)
        kept_states(model, self.target)
        return []


class TurnTokens(Pass):
    """Channels-first tokens, for the neural engine."""

    name = NAME

    def run(self, model: Model) -> list[Remark]:
        """New values have the ranges of those whose elements they hold."""
        turning = turn_tokens(model)
        keep_ranges(model, ranges_of(model).renamed(turning.names))
        return fired(self.name, turning.operators)


class KeepWide(Pass):
    """Nothing is changed: the operators that would overflow or lose too much in float16 are marked."""

    name = "float32-islands"
    needs: ClassVar[frozenset[str]] = frozenset({"ranges"})
    gives: ClassVar[frozenset[str]] = frozenset({"islands"})

    def __init__(self, target: Target) -> None:
        self.target = target

    def run(self, model: Model) -> list[Remark]:
        """Each with its evidence; blocks of branches and loops are float32 throughout."""
        islands = choose(model, self.target, ranges_of(model))
        keep_wide(islands.chosen)
        for graph in all_graphs(model):
            keep_wide(graph if graph is not model.graph else ())
        ranges = ranges_of(model)
        close = [node for node in model.graph if decides(node) and ranges.margin(node) < CLOSE]
        told = [Told(d) for d in close_calls(model, islands.chosen.keys(), close)]
        return [*islands.report(), *fired(self.name, len(islands.chosen)), *told]


class ToHalf(Pass):
    """float16, but for the operators that are marked."""

    name = "to-half"
    needs: ClassVar[frozenset[str]] = frozenset({"islands"})

    def __init__(self, target: Target) -> None:
        self.target = target

    def run(self, model: Model) -> list[Remark]:
        """Every cast is in the graph; states are float16 at the interface, too."""
        kept = {name for state in kept_states(model, self.target) for name in (state.input, state.output)}
        to_half(model, [node for node in model.graph if is_wide(node)], kept)
        return []
