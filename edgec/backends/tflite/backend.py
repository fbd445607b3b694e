"""TFLite: flatbuffers for LiteRT, written by edgec and executed by LiteRT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgec.artifact.app import Described
from edgec.artifact.shown import Shown
from edgec.backends.base import Array, Instr, Program, Renamed
from edgec.backends.builder import Builder, lower_graph
from edgec.backends.legalization import legalized
from edgec.backends.placement import Placement
from edgec.backends.tflite.assemble import assemble
from edgec.backends.tflite.cost import macs
from edgec.backends.tflite.in_onnx import in_onnx
from edgec.backends.tflite.interface import described, interface_of, options_of
from edgec.backends.tflite.legalize import pipeline
from edgec.backends.tflite.lower.table import LOWERINGS
from edgec.backends.tflite.minimum_runtime import check_floor
from edgec.backends.tflite.ops import view_tflite
from edgec.backends.tflite.optimize.horizontal_fusion import merge_products
from edgec.backends.tflite.optimize.instruction_fusion import fuse
from edgec.backends.tflite.optimize.slice_fusion import compose_slices
from edgec.backends.tflite.placement import placement
from edgec.backends.tflite.quantize.quantize import quantize
from edgec.backends.tflite.quantize.reference import check_steps
from edgec.backends.tflite.work import work_of
from edgec.backends.work import Work
from edgec.calibration.calibration import UNCALIBRATED, Calibration
from edgec.ir.dims import dim_ranges
from edgec.ir.model import Model
from edgec.passes.base import AfterPass, Rewritten
from edgec.passes.remarks import Remark
from edgec.runners.base import Runner
from edgec.runners.litert import LiteRTRunner
from edgec.spec.target import Target


class TFLiteBackend:
    """`.tflite` files, verified by LiteRT."""

    name = "tflite"
    tools: Mapping[str, str] = {}

    def format(self, target: Target) -> str:
        """The same for all targets."""
        return "tflite"

    def legalize(
        self, model: Model, target: Target, calibration: Calibration = UNCALIBRATED, after: AfterPass | None = None
    ) -> Rewritten:
        """A copy in TFLite's dialect, with layouts assigned. Raises `EdgecError` E0412, E0106."""
        return legalized(model, pipeline(target, interface_of(model)), after)

    def in_onnx(self, model: Model) -> Model:
        """A copy without operators of the private domain."""
        return in_onnx(model)

    def lower(self, model: Model, target: Target) -> Program:
        """The model as builtin operators, with activations fused."""
        program = fuse(lower_graph(model, target, LOWERINGS, Builder(target), view_tflite))
        dims = tuple((name, low, high) for name, (low, high) in dim_ranges(model).items())
        program = replace(compose_slices(merge_products(program)), dims=dims)
        check_floor(program, target)
        return program

    def quantize(self, program: Program, target: Target, calibration: Calibration) -> tuple[Program, list[Remark]]:
        """Weights in integers, or all that kernels of eight bits compute."""
        return quantize(program, target, calibration)

    def check_steps(
        self, program: Program, target: Target, path: Path, samples: Sequence[Mapping[str, Array]]
    ) -> list[Remark]:
        """LiteRT's integer kernels against its float kernels between rounders."""
        return check_steps(program, target, path, samples)

    def assemble(self, program: Program, target: Target, path: Path) -> None:
        """Write the flatbuffer."""
        assemble(program, target, path)

    def renamed(self, program: Program, target: Target) -> Renamed:
        """Nothing: the format allows any name."""
        return Renamed()

    def shown(self, target: Target) -> Shown:
        """Only tensors."""
        return Shown()

    def described(self, target: Target) -> Sequence[Described]:
        """Images and labels."""
        return described(options_of(target))

    def open(self, path: Path, target: Target) -> Runner:
        """LiteRT on one thread, with inputs and outputs converted to the source's layout."""
        return LiteRTRunner(path, as_source=True)

    def wider(self, target: Target) -> Sequence[Target]:
        """None: it computes in float32 already, whatever delegates do."""
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
        """XNNPACK or LiteRT's own kernels; what other delegates would run is in the evidence."""
        return placement(program, target)


TFLITE = TFLiteBackend()
