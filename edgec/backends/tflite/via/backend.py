"""TFLite through onnx2tf, with the same verification, manifest and placement as for edgec's own files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgec.artifact.app import Described
from edgec.artifact.shown import Shown
from edgec.backends.base import Instr, Program, Renamed
from edgec.backends.placement import Placement
from edgec.backends.tflite.assemble import IDENTIFIER, libraries
from edgec.backends.tflite.backend import TFLITE
from edgec.backends.tflite.interface import channels_last_names, check, interface_of, options_of
from edgec.backends.tflite.metadata import associated_files, entries
from edgec.backends.tflite.versions import minimum_runtime
from edgec.backends.tflite.via.convert import convert, rename, turned
from edgec.backends.tflite.via.disassemble import disassemble
from edgec.backends.tflite.via.environment import VERSION, interpreter
from edgec.backends.work import Work
from edgec.calibration.calibration import UNCALIBRATED, Calibration
from edgec.diag import error
from edgec.ir.model import Model, static_shape
from edgec.passes.base import AfterPass, Rewritten
from edgec.runners.base import Runner
from edgec.spec.target import Target


@dataclass(frozen=True)
class ForeignProgram(Program):
    """A program read from a file, and the file's content as the schema's objects (`ModelT`)."""

    model: Any = None


class Onnx2tfBackend:
    """`.tflite` files that onnx2tf writes, in a separate environment."""

    name = "tflite"
    tools: Mapping[str, str] = {"onnx2tf": VERSION}

    def format(self, target: Target) -> str:
        """The same for all targets."""
        return "tflite"

    def legalize(
        self, model: Model, target: Target, calibration: Calibration = UNCALIBRATED, after: AfterPass | None = None
    ) -> Rewritten:
        """A copy: onnx2tf reads canonical ONNX. Raises `EdgecError` E0412 for open dimensions."""
        check(interface_of(model), target)
        values = (*model.graph.inputs, *model.graph.outputs)
        if (value := next((v for v in values if static_shape(v) is None), None)) is not None:
            note = "rejected by `onnx2tf-dynamic`"
            raise error("E0412", f"`{value.name}` has an open dimension, unsupported with onnx2tf", notes=[note])
        return Rewritten(model.clone(), [])

    def in_onnx(self, model: Model) -> Model:
        """Unchanged: the graph is ONNX already."""
        return model

    def lower(self, model: Model, target: Target) -> Program:
        """Run onnx2tf and read its file. Raises `EdgecError` E0501 and E0502."""
        schema, _ = libraries()
        interface = interface_of(model)
        last = channels_last_names(interface, target)
        keep = [name for name, shape in interface.inputs.items() if name not in last and len(shape) > 2]
        content = convert(interpreter(), model, keep, target.numerics.weights.type)
        made = schema.ModelT.InitFromPackedBuf(content, 0)
        rename(made, interface)
        found = turned(made, interface)
        if missed := sorted(last - set(found)):
            raise error(
                "E0412", f"onnx2tf keeps `{missed[0]}` in the source's layout", notes=["rejected by `onnx2tf-layout`"]
            )
        program = disassemble(made, schema, model.graph.name or "model")
        _write_entries(
            made, schema, entries(interface, target, minimum_runtime(program.every_instr()), found, program.name)
        )
        return ForeignProgram(program.name, program.inputs, program.instrs, program.outputs, model=made)

    def assemble(self, program: Program, target: Target, path: Path) -> None:
        """Write the file."""
        assert isinstance(program, ForeignProgram)
        _, flatbuffers = libraries()
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(program.model.Pack(builder), IDENTIFIER)
        path.write_bytes(bytes(builder.Output()) + associated_files(options_of(target).metadata))

    def renamed(self, program: Program, target: Target) -> Renamed:
        """Nothing: the format allows any name."""
        return Renamed()

    def shown(self, target: Target) -> Shown:
        """Only tensors."""
        return Shown()

    def described(self, target: Target) -> Sequence[Described]:
        """None."""
        return ()

    def open(self, path: Path, target: Target) -> Runner:
        """LiteRT on one thread."""
        return TFLITE.open(path, target)

    def wider(self, target: Target) -> Sequence[Target]:
        """None: onnx2tf decides."""
        return ()

    def macs(self, instr: Instr) -> int:
        """Multiply-accumulates of one instruction."""
        return TFLITE.macs(instr)

    def work(self, instr: Instr) -> Work:
        """Like those of edgec's own files."""
        return TFLITE.work(instr)

    def crossings(self, program: Program, target: Target, unit: str) -> int:
        """Like those of edgec's own files."""
        return TFLITE.crossings(program, target, unit)

    def placement(self, program: Program, target: Target, path: Path | None = None) -> Placement:
        """XNNPACK or LiteRT's own kernels."""
        return TFLITE.placement(program, target)


def _write_entries(model: Any, schema: Any, found: Sequence[tuple[str, bytes]]) -> None:
    """Replace the metadata entries of a `ModelT` by these."""
    model.metadata = []
    for name, content in found:
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = list(content)
        entry.name, entry.buffer = name, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata.append(entry)


ONNX2TF = Onnx2tfBackend()
