"""Core ML: ML Programs, built with coremltools and executed by the MIL interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgec.artifact.app import Described
from edgec.artifact.shown import Shown
from edgec.backends.base import Instr, Program, Renamed
from edgec.backends.builder import lower_graph
from edgec.backends.coreml.assemble import assemble, assemble_functions
from edgec.backends.coreml.channels.decide import Formed, cheaper, choice, forms_of, movement, with_form
from edgec.backends.coreml.cost import macs
from edgec.backends.coreml.flexible_shapes import check_flexible
from edgec.backends.coreml.in_onnx import in_onnx
from edgec.backends.coreml.interface import check, described, shown
from edgec.backends.coreml.legalize import pipeline
from edgec.backends.coreml.lower.common import MilBuilder
from edgec.backends.coreml.lower.table import LOWERINGS
from edgec.backends.coreml.names import named
from edgec.backends.coreml.ops import view_coreml
from edgec.backends.coreml.options import CoreMLOptions
from edgec.backends.coreml.placement import measured, placement
from edgec.backends.coreml.states import kept_states, with_states
from edgec.backends.coreml.types import check_interface
from edgec.backends.coreml.work import work_of
from edgec.backends.legalization import legalized
from edgec.backends.placement import Placement
from edgec.backends.work import Work
from edgec.calibration.calibration import UNCALIBRATED, Calibration
from edgec.ir.dims import dim_choices, dim_ranges
from edgec.ir.model import Model
from edgec.passes.base import AfterPass, Rewritten
from edgec.runners.apple.mac import on_mac
from edgec.runners.base import Runner
from edgec.runners.mil.as_source import SourceRunner
from edgec.spec.numerics import FLOAT32
from edgec.spec.target import Target


class CoreMLBackend:
    """`.mlpackage` folders, verified by the MIL interpreter in the target's precision."""

    name = "coreml"
    tools: Mapping[str, str] = {}

    def format(self, target: Target) -> str:
        """The same for all targets."""
        return "mlpackage"

    def legalize(
        self, model: Model, target: Target, calibration: Calibration = UNCALIBRATED, after: AfterPass | None = None
    ) -> Rewritten:
        """A copy in Core ML's dialect and the target's precision, with the cheaper token layout if both are allowed."""
        forms = forms_of(target)
        if forms == ("off",):
            return legalized(model, pipeline(target, calibration), after)
        made = {form: self._formed(model, with_form(target, form), calibration, after) for form in forms}
        chosen, other = cheaper(made)
        taken = made[chosen]
        decided = choice(chosen == "on", taken.moved, made[other].moved if other else None)
        return Rewritten(taken.legal.model, [*taken.legal.remarks, decided])

    def _formed(self, model: Model, target: Target, calibration: Calibration, after: AfterPass | None) -> Formed:
        legal = legalized(model, pipeline(target, calibration), after)
        return Formed(legal, movement(self.lower(legal.model, target), target))

    def in_onnx(self, model: Model) -> Model:
        """A copy without operators of the private domain."""
        return in_onnx(model)

    def lower(self, model: Model, target: Target) -> Program:
        """The model as MIL operations."""
        check_interface(model)
        program = lower_graph(model, target, LOWERINGS, MilBuilder(target), view_coreml)
        program = with_states(program, kept_states(model, target))
        dims = tuple((name, low, high) for name, (low, high) in dim_ranges(model).items())
        program = replace(program, dims=dims, choices=tuple(dim_choices(model).items()))
        check(program, target)
        check_flexible(program, target)
        return program

    def assemble(self, program: Program, target: Target, path: Path) -> None:
        """Write the package."""
        assemble(program, target, path)

    def assemble_functions(self, programs: Mapping[str, Program], target: Target, path: Path) -> None:
        """Write a package of several functions (iOS 18)."""
        assemble_functions(programs, target, path)

    def renamed(self, program: Program, target: Target) -> Renamed:
        """Names that are not valid identifiers in Core ML, or are taken."""
        assert isinstance(target.options, CoreMLOptions)
        found = named(program, target.options)
        return Renamed(found.interface, found.values)

    def shown(self, target: Target) -> Shown:
        """Images and classifiers."""
        assert isinstance(target.options, CoreMLOptions)
        return shown(target.options)

    def described(self, target: Target) -> Sequence[Described]:
        """Images and labels."""
        assert isinstance(target.options, CoreMLOptions)
        return described(target.options)

    def open(self, path: Path, target: Target) -> Runner:
        """The interpreter, which rounds after every operation that the package computes in float16."""
        return SourceRunner(path, self.shown(target))

    def open_function(self, path: Path, target: Target, function: str) -> Runner:
        """The interpreter on one function."""
        return SourceRunner(path, self.shown(target), function)

    def wider(self, target: Target) -> Sequence[Target]:
        """For a float16 target that allows it: discrete decisions in float32, then everything."""
        numerics = target.numerics
        if (numerics.compute, numerics.float32) != ("float16", "as-needed"):
            return ()
        wider = (replace(numerics, float32="decisions"), replace(numerics, compute="float32", weights=FLOAT32))
        return [replace(target, numerics=n) for n in wider]

    def macs(self, instr: Instr) -> int:
        """Multiply-accumulates of one instruction."""
        return macs(instr)

    def work(self, instr: Instr) -> Work:
        """The work of one instruction, for latency predictors."""
        return work_of(instr)

    def crossings(self, program: Program, target: Target, unit: str) -> int:
        """Changes between the neural engine and other units."""
        return placement(program, target).switches if unit == "npu" else 0

    def placement(self, program: Program, target: Target, path: Path | None = None) -> Placement:
        """Predicted by published rules; measured on a Mac, where Core ML reports the placement."""
        return placement(program, target) if path is None or not on_mac() else measured(program, target, path)


COREML = CoreMLBackend()
