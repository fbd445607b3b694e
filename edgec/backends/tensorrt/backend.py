"""TensorRT: legalized ONNX, built ahead of time with TensorRT-RTX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgec.artifact.app import Described
from edgec.artifact.shown import Shown
from edgec.backends.base import Instr, Program, Renamed
from edgec.backends.control_flow import branches
from edgec.backends.expand import expansion
from edgec.backends.legalization import CANONICAL, OnlyLegal, legalized
from edgec.backends.onnx_cost import macs
from edgec.backends.onnx_program import OnnxProgram, lower_to_onnx
from edgec.backends.onnx_work import work_of
from edgec.backends.placement import Placement
from edgec.backends.tensorrt.assemble import assemble
from edgec.backends.tensorrt.dialect import TENSORRT_DIALECT
from edgec.backends.tensorrt.expand.products import IntegerProductToReduce
from edgec.backends.tensorrt.expand.scatter import (
    RoomForIndices,
    ScatterElementsReductionToRuns,
    ScatterNDReductionToRuns,
)
from edgec.backends.tensorrt.expand.vectors import VectorToRow
from edgec.backends.tensorrt.narrow import HoldInInt32
from edgec.backends.tensorrt.quantizers import QuantizeInFloat
from edgec.backends.work import Work
from edgec.calibration.calibration import UNCALIBRATED, Calibration
from edgec.ir.model import Model
from edgec.passes.base import AfterPass, OptionalPass, Pipeline, Rewritten
from edgec.passes.constants import FoldConstants
from edgec.passes.native_branches import SelectionsToIf
from edgec.passes.rewrite import RewritePass
from edgec.rules.base import Rule
from edgec.rules.decompose.bits import BitShiftToArithmetic, BitwiseToArithmetic
from edgec.rules.decompose.functions import OneSidedClip
from edgec.rules.decompose.normalizations import GroupNormToReduce
from edgec.rules.decompose.scatter import OpenSumsToComparison
from edgec.rules.table import EXPAND
from edgec.runners.base import Runner
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from edgec.spec.target import Target

RULES: tuple[Rule, ...] = (BitwiseToArithmetic(), BitShiftToArithmetic())
"""Rules for operators that the dialect lacks."""


FORMS: tuple[Rule, ...] = (
    GroupNormToReduce(),
    OneSidedClip(),
    ScatterNDReductionToRuns(),
    ScatterElementsReductionToRuns(),
    OpenSumsToComparison(),
    RoomForIndices(),
    IntegerProductToReduce(),
    VectorToRow(),
)
"""Rules for operators supported in some forms only, or whose kernels are wrong for large means or infinities."""


OWN: tuple[Rule, ...] = (*RULES, *FORMS)
"""All rules of TensorRT beyond those that all backends share."""

OPTIONAL: tuple[type[OptionalPass], ...] = (SelectionsToIf,)
"""Passes that can be disabled."""


def pipeline(target: Target) -> Pipeline:
    """The passes from the canonical form to ONNX that TensorRT's parser and builder accept."""
    return Pipeline(
        "tensorrt",
        [
            QuantizeInFloat(),
            *expansion(TENSORRT_DIALECT, target, (*EXPAND, *RULES)),
            RewritePass("forms", FORMS),
            FoldConstants(),
            HoldInInt32(),
            *branches(target),
            OnlyLegal(TENSORRT_DIALECT, target),
        ],
        target.rewrites.disable,
        CANONICAL,
    )


class TensorRTBackend:
    """`.engine` files. Verified by running the ONNX that the engine was built from; the engine itself needs the GPU."""

    name = "tensorrt"
    tools: Mapping[str, str] = {}

    def format(self, target: Target) -> str:
        """The same for all targets."""
        return "engine"

    def legalize(
        self, model: Model, target: Target, calibration: Calibration = UNCALIBRATED, after: AfterPass | None = None
    ) -> Rewritten:
        """A copy without the operators that TensorRT has no kernel for. Raises `EdgecError` E0412, E0401."""
        return legalized(model, pipeline(target), after)

    def in_onnx(self, model: Model) -> Model:
        """Unchanged: the graph is ONNX already."""
        return model

    def lower(self, model: Model, target: Target) -> Program:
        """The ONNX model, one instruction per node."""
        return lower_to_onnx(model, target)

    def assemble(self, program: Program, target: Target, path: Path) -> None:
        """Build the engine."""
        assert isinstance(program, OnnxProgram)
        assemble(program, target, path)

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
        """ONNX Runtime on the ONNX next to the engine."""
        return OnnxRuntimeRunner(path.with_suffix(".onnx"), optimize=False)  # no other optimizer's bugs

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
        """Empty: no rules are published that hold for every device."""
        return Placement()


TENSORRT = TensorRTBackend()
