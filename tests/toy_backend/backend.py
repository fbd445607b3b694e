"""The backend and its format: an ONNX file preceded by a line of text, run by onnx's reference implementation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import onnx_ir as ir

from edgec.artifact.app import Described
from edgec.artifact.format import Array, Format, RunOptions, Values
from edgec.artifact.shown import Shown
from edgec.backends.base import Instr, Program, Renamed
from edgec.backends.expand import expansion
from edgec.backends.legalization import CANONICAL, OnlyLegal, legalized
from edgec.backends.onnx_program import OnnxProgram, lower_to_onnx
from edgec.backends.placement import Placement
from edgec.backends.traffic import counted
from edgec.backends.work import Kind, Work
from edgec.calibration.calibration import UNCALIBRATED, Calibration
from edgec.dialect.base import Dialect
from edgec.dialect.core import CORE
from edgec.ir.model import Model
from edgec.measure.inspection.summary import Content, Feature
from edgec.passes.base import AfterPass, Pipeline, Rewritten
from edgec.passes.verify import evaluate
from edgec.spec.backend import BackendSpec, Rewriting
from edgec.spec.reader import Checker, Table
from edgec.spec.target import Target

LEGAL = Dialect("toy", CORE.ops - {"Gelu", "HardSwish"})


@dataclass(frozen=True)
class ToyOptions:
    greeting: str


def read_options(c: Checker, table: Table) -> ToyOptions:
    c.known(table, ("greeting",), "options.")
    return ToyOptions(c.string(table, "greeting"))


class ToyRunner:
    name = "toy"

    def __init__(self, path: Path) -> None:
        self.greeting, _, content = path.read_bytes().partition(b"\n")
        self.model = ir.from_proto(__import__("onnx").ModelProto.FromString(content))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        names = [v.name or "" for v in self.model.graph.outputs]
        return dict(zip(names, evaluate(self.model, inputs), strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class ToyFormat(Format):
    title = "Toy"

    def read(self, path: Path, function: str | None = None) -> Content:
        graph = ToyRunner(path).model.graph
        inputs, outputs = ([_feature(v) for v in side] for side in (graph.inputs, graph.outputs))
        return Content(inputs, outputs, {}, [], {"greeting": ToyRunner(path).greeting.decode()})

    def open(self, path: Path, options: RunOptions) -> ToyRunner:
        return ToyRunner(path)

    def values(self, path: Path, inputs: Mapping[str, Array], shown: Shown) -> tuple[Values, dict[str, Array]]:
        return [], ToyRunner(path).run(inputs)

    def rows(self, delegates: Sequence[str] = ()) -> tuple[Any, ...]:
        return ()

    def subject(self, path: Path) -> Any:
        return None


def _feature(value: ir.Value) -> Feature:
    assert value.dtype is not None
    return Feature(value.name or "", value.dtype.numpy().name, tuple(value.shape.numpy() if value.shape else ()))


class ToyBackend:
    name = "toy"
    tools: Mapping[str, str] = {}

    def format(self, target: Target) -> str:
        return "toy"

    def legalize(
        self, model: Model, target: Target, calibration: Calibration = UNCALIBRATED, after: AfterPass | None = None
    ) -> Rewritten:
        steps = [*expansion(LEGAL, target), OnlyLegal(LEGAL, target)]
        return legalized(model, Pipeline("toy", steps, target.rewrites.disable, CANONICAL), after)

    def in_onnx(self, model: Model) -> Model:
        return model

    def lower(self, model: Model, target: Target) -> Program:
        return lower_to_onnx(model, target)

    def assemble(self, program: Program, target: Target, path: Path) -> None:
        assert isinstance(program, OnnxProgram)
        assert isinstance(target.options, ToyOptions)
        own = program.model.clone()
        ir.external_data.load_to_model(own)
        path.write_bytes(target.options.greeting.encode() + b"\n" + ir.to_proto(own).SerializeToString())

    def renamed(self, program: Program, target: Target) -> Renamed:
        return Renamed()

    def shown(self, target: Target) -> Shown:
        return Shown()

    def described(self, target: Target) -> Sequence[Described]:
        """Nothing."""
        return ()

    def open(self, path: Path, target: Target) -> ToyRunner:
        return ToyRunner(path)

    def wider(self, target: Target) -> Sequence[Target]:
        return ()

    def macs(self, instr: Instr) -> int:
        return 0

    def work(self, instr: Instr) -> Work:
        return counted(instr, Kind.OTHER, 0)

    def crossings(self, program: Program, target: Target, unit: str) -> int:
        return 0

    def placement(self, program: Program, target: Target, path: Path | None = None) -> Placement:
        return Placement()


SPEC = BackendSpec("toy", "Toy", read_options, ToyBackend, lambda: Rewriting(()))
FORMAT = ToyFormat()
