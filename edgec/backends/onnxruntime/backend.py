"""ONNX Runtime: the canonical graph in ONNX operators that the app's runtime supports, as ONNX or as `.ort`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgec.artifact.app import Described
from edgec.artifact.format import RunOptions, named_format
from edgec.artifact.shown import Shown
from edgec.backends.base import Instr, Program, Renamed
from edgec.backends.control_flow import branches
from edgec.backends.expand import expansion
from edgec.backends.legalization import CANONICAL, OnlyLegal, legalized
from edgec.backends.onnx_cost import macs
from edgec.backends.onnx_program import OnnxProgram, lower_to_onnx
from edgec.backends.onnx_work import work_of
from edgec.backends.onnxruntime.assemble import assemble
from edgec.backends.onnxruntime.dialect import dialect
from edgec.backends.onnxruntime.options import OnnxRuntimeOptions
from edgec.backends.placement import Placement
from edgec.backends.work import Work
from edgec.calibration.calibration import UNCALIBRATED, Calibration
from edgec.ir.model import Model
from edgec.passes.base import AfterPass, OptionalPass, Pipeline, Rewritten
from edgec.passes.native_branches import SelectionsToIf
from edgec.rules.base import Rule
from edgec.runners.base import Runner
from edgec.spec.target import Target

OWN: tuple[Rule, ...] = ()
"""None beyond those that all backends share."""

OPTIONAL: tuple[type[OptionalPass], ...] = (SelectionsToIf,)
"""Passes that can be disabled."""


def options_of(target: Target) -> OnnxRuntimeOptions:
    """The target's options."""
    assert isinstance(target.options, OnnxRuntimeOptions)
    return target.options


def pipeline(target: Target) -> Pipeline:
    """The passes from the canonical form to the operators of the opset."""
    legal = dialect(options_of(target).opset)
    return Pipeline(
        "onnxruntime",
        [*expansion(legal, target), *branches(target), OnlyLegal(legal, target)],
        target.rewrites.disable,
        CANONICAL,
    )


class OnnxRuntimeBackend:
    """`.onnx` and `.ort` files, verified by ONNX Runtime itself."""

    name = "onnxruntime"
    tools: Mapping[str, str] = {}

    def format(self, target: Target) -> str:
        """`options.format` of the target."""
        return options_of(target).format

    def legalize(
        self, model: Model, target: Target, calibration: Calibration = UNCALIBRATED, after: AfterPass | None = None
    ) -> Rewritten:
        """A copy in operators of the opset. Raises `EdgecError` E0412."""
        return legalized(model, pipeline(target), after)

    def in_onnx(self, model: Model) -> Model:
        """Unchanged: the graph is ONNX already."""
        return model

    def lower(self, model: Model, target: Target) -> Program:
        """The ONNX model, one instruction per node."""
        return lower_to_onnx(model, target)

    def assemble(self, program: Program, target: Target, path: Path) -> None:
        """Write the file, at the target's opset."""
        assert isinstance(program, OnnxProgram)
        assemble(program, options_of(target), path)

    def renamed(self, program: Program, target: Target) -> Renamed:
        """Nothing: the format allows any name."""
        return Renamed()

    def shown(self, target: Target) -> Shown:
        """Only tensors."""
        return Shown()

    def described(self, target: Target) -> Sequence[Described]:
        """Nothing."""
        return ()

    def open(self, path: Path, target: Target) -> Runner:
        """ONNX Runtime on the file itself."""
        return named_format(self.format(target)).open(path, RunOptions())

    def wider(self, target: Target) -> Sequence[Target]:
        """None: it computes in float32 already."""
        return ()

    def macs(self, instr: Instr) -> int:
        """Multiply-accumulates of one instruction."""
        return macs(instr)

    def work(self, instr: Instr) -> Work:
        """The work of one instruction, for latency predictors."""
        return work_of(instr)

    def crossings(self, program: Program, target: Target, unit: str) -> int:
        """Nothing is known of what runs elsewhere."""
        return 0

    def placement(self, program: Program, target: Target, path: Path | None = None) -> Placement:
        """Everything on the CPU; what an execution provider would take is unknown."""
        return Placement()


ONNXRUNTIME = OnnxRuntimeBackend()
