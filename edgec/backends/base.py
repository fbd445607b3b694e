"""What all backends share: programs as plain data, lowering tables, and the interface of a backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.artifact.app import Described
from edgec.artifact.shown import Shown
from edgec.backends.placement import Placement
from edgec.backends.work import Work
from edgec.calibration.calibration import UNCALIBRATED, Calibration
from edgec.diag import Place
from edgec.ir.model import Model
from edgec.ops.base import Op
from edgec.passes.base import AfterPass, Rewritten
from edgec.passes.remarks import Remark
from edgec.quantization.parameters import Quantization
from edgec.runners.base import Runner
from edgec.spec.target import Target

Array = NDArray[np.generic]
Dim = int | str
Attr = bool | int | float | str | None | tuple["Attr", ...]


@dataclass(frozen=True)
class TensorType:
    """Element type by its numpy name (`float32`, `int64`, `bool`, also `int4`) and shape; a dynamic dimension is given
    by its symbol. With a `quantization` the elements are quantized values.
    """

    dtype: str
    shape: tuple[Dim, ...]
    quantization: Quantization | None = None

    @property
    def sizes(self) -> list[int]:
        """The dimensions for counting work and traffic: a dynamic one counts as 1."""
        return [d if isinstance(d, int) else 1 for d in self.shape]

    def __str__(self) -> str:
        shown = f"{self.dtype}[{', '.join(map(str, self.shape))}]"
        return f"{shown} {{{self.quantization}}}" if self.quantization is not None else shown


@dataclass(frozen=True)
class Ref:
    """An input of the program, or the result of one of its instructions."""

    name: str
    type: TensorType

    def __str__(self) -> str:
        return f"%{self.name}"


@dataclass(frozen=True, eq=False)
class Const:
    """A constant tensor. Its data are read lazily, when the program is assembled."""

    name: str
    type: TensorType
    tensor: ir.TensorProtocol

    def numpy(self) -> Array:
        """The data as a numpy array."""
        array: Array = self.tensor.numpy()
        return array

    def __str__(self) -> str:
        return f"@{self.name}"


Operand = Ref | Const
Argument = Operand | tuple[Operand, ...] | None


@dataclass(frozen=True)
class Instr:
    """One instruction: named inputs, attributes, outputs. `place`, the source location, is not part of the artifact."""

    op: str
    inputs: tuple[tuple[str, Argument], ...]
    attrs: tuple[tuple[str, Attr], ...]
    outputs: tuple[Ref, ...]
    blocks: tuple[Program, ...] = ()
    place: Place = field(default_factory=Place, compare=False)

    def input(self, name: str) -> Argument:
        """The argument of that name, or None."""
        return dict(self.inputs).get(name)

    def operands(self) -> list[Operand]:
        """All operands, in order, lists flattened."""
        flat: list[Operand] = []
        for _, argument in self.inputs:
            if isinstance(argument, tuple):
                flat.extend(argument)
            elif argument is not None:
                flat.append(argument)
        return flat


@dataclass(frozen=True)
class Program:
    """A backend's assembly: straight-line instructions in order, with deterministic text.

    `outputs` pairs the name in the artifact's interface with its operand. `dims` holds the smallest and the largest
    size of each open dimension by name, `choices` the enumerated sizes (the i-th entries of all lists form one
    choice). `states` persist from one run to the next. `sources` maps an operand to the graph value that it holds or
    helps to compute where the names differ: an operator may be lowered to several instructions.
    """

    name: str
    inputs: tuple[Ref, ...]
    instrs: tuple[Instr, ...]
    outputs: tuple[tuple[str, Operand], ...]
    dims: tuple[tuple[str, int, int], ...] = field(default=(), kw_only=True)
    choices: tuple[tuple[str, tuple[int, ...]], ...] = field(default=(), kw_only=True)
    states: tuple[Ref, ...] = field(default=(), kw_only=True)
    sources: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)

    def text(self) -> str:
        """The format of the golden files: one instruction per line, followed by its module path."""
        return "\n".join(_program_lines(self, "")) + "\n"

    def every_instr(self) -> Iterator[Instr]:
        """All instructions, nested blocks after the instruction that contains them; a loop's body counts once."""
        for instr in self.instrs:
            yield instr
            for block in instr.blocks:
                yield from block.every_instr()


def _program_lines(program: Program, indent: str) -> list[str]:
    head = ", ".join(f"%{r.name}: {r.type}" for r in program.inputs)
    head += "".join(f", state %{r.name}: {r.type}" for r in program.states)
    lines = [f"{indent}program {program.name}({head})"]
    for instr in program.instrs:
        lines.append(f"{indent}  {_instr_line(instr)}")
        for block in instr.blocks:
            lines.extend(_program_lines(block, indent + "    "))
    lines.append(f"{indent}  return " + ", ".join(f"{name}={operand}" for name, operand in program.outputs))
    return lines


def _instr_line(instr: Instr) -> str:
    arguments = [f"{name}={_argument(value)}" for name, value in instr.inputs]
    arguments += [f"{name}={_attr(value)}" for name, value in instr.attrs]
    results = ", ".join(f"%{r.name}: {r.type}" for r in instr.outputs)
    origin = f"  # {instr.place.module}" if instr.place.module else ""
    return f"{results} = {instr.op}({', '.join(arguments)}){origin}"


def _argument(value: Argument) -> str:
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, tuple) else str(value)


def _attr(value: Attr) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_attr, value)) + "]"
    return repr(value)


OpT = TypeVar("OpT", bound=Op)


@dataclass(frozen=True)
class Lowering(Generic[OpT]):
    """How one family of operators, decoded by the view `op`, is lowered. Only legal forms get here (`legality/`).

    `lower(op, builder)` returns one operand for each output of the node, without a sequence if there is only one.
    """

    op: type[OpT]
    lower: Callable[[OpT, Any], Operand | Sequence[Operand]]


LoweringTable = Mapping[type[Op], Lowering[Any]]


def table(*lowerings: Lowering[Any]) -> LoweringTable:
    """The lowerings by view. Raises ValueError if a view has two."""
    found: dict[type[Op], Lowering[Any]] = {}
    for lowering in lowerings:
        if lowering.op in found:
            raise ValueError(f"two lowerings for {lowering.op.__name__}")
        found[lowering.op] = lowering
    return found


@dataclass(frozen=True)
class Renamed:
    """The source's name of each thing that had to be renamed in the artifact, by its name in the artifact.

    `interface`: inputs, outputs and states; `values`: all values of the program.
    """

    interface: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """The interface that the compiler uses, in this order."""

    name: str
    tools: Mapping[str, str]
    """Versions of tools outside edgec's own environment that take part in a build, by name."""

    def format(self, target: Target) -> str:
        """The name of the format of the target's artifacts: one of `FORMATS`."""
        ...

    def legalize(
        self, model: Model, target: Target, calibration: Calibration = UNCALIBRATED, after: AfterPass | None = None
    ) -> Rewritten:
        """A new model (`model` is not modified) with only operators of the backend's dialect, and the remarks.

        `after` is called after each pass. Raises `EdgecError` E0412 with every operator that stays illegal.
        """
        ...

    def in_onnx(self, model: Model) -> Model:
        """A model from the middle of `legalize` in standard ONNX operators, so that an engine can verify a pass."""
        ...

    def lower(self, model: Model, target: Target) -> Program:
        """Lower a legalized model. Raises `EdgecError` E0412 for an instruction that the target does not allow."""
        ...

    def assemble(self, program: Program, target: Target, path: Path) -> None:
        """Write the artifact to `path` (which does not exist yet). The same program gives the same bytes."""
        ...

    def renamed(self, program: Program, target: Target) -> Renamed:
        """The names that the artifact of this program has changed."""
        ...

    def shown(self, target: Target) -> Shown:
        """The inputs and outputs whose type in the artifact's interface differs from the source's tensors."""
        ...

    def described(self, target: Target) -> Sequence[Described]:
        """Properties of inputs and outputs that an app needs: images, labels."""
        ...

    def open(self, path: Path, target: Target) -> Runner:
        """A runner on the written artifact, loaded from disk, for verification."""
        ...

    def wider(self, target: Target) -> Sequence[Target]:
        """Precision fallbacks: targets with ever more in float32, tried in order if the accuracy is missed."""
        ...

    def macs(self, instr: Instr) -> int:
        """Multiply-accumulates of one instruction; 0 for data movement and elementwise operators."""
        ...

    def work(self, instr: Instr) -> Work:
        """The work of one instruction, for latency predictors."""
        ...

    def crossings(self, program: Program, target: Target, unit: str) -> int:
        """The number of unit changes between neighbouring instructions if `unit` (cpu, gpu, npu) runs all it supports.

        0 if its support is unknown.
        """
        ...

    def placement(self, program: Program, target: Target, path: Path | None = None) -> Placement:
        """The unit on which each instruction is predicted to run; empty if no rules are published.

        Measured on the artifact at `path` instead if the runtime is installed here and reports it.
        """
        ...


@runtime_checkable
class QuantizingBackend(Backend, Protocol):
    """A backend that can quantize programs, for targets whose numerics ask for it."""

    def quantize(self, program: Program, target: Target, calibration: Calibration) -> tuple[Program, list[Remark]]:
        """The program with integer weights, or fully quantized, and the remarks."""
        ...

    def check_steps(
        self, program: Program, target: Target, path: Path, samples: Sequence[Mapping[str, Array]]
    ) -> list[Remark]:
        """How far the integer kernels of the artifact at `path` are from their reference, each on its own steps."""
        ...


@runtime_checkable
class FunctionsBackend(Backend, Protocol):
    """A backend whose artifacts may contain several functions that share their weights."""

    def assemble_functions(self, programs: Mapping[str, Program], target: Target, path: Path) -> None:
        """Write the artifact, as `assemble` does; the first function is the default."""
        ...

    def open_function(self, path: Path, target: Target, function: str) -> Runner:
        """A runner on one function of the written artifact."""
        ...
