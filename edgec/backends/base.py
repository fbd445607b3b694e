"""What backends share: a program as plain data, a lowering beside its refusals, and the backend's interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.artifact.shown import Shown
from edgec.backends.placement import Placement
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
    """Element type by numpy's name (`float32`, `int64`, `bool`, also `int4`) and shape; a dynamic dimension is its
    symbol. With a `quantization` the elements are steps.
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
    """A value that the program computes or is given."""

    name: str
    type: TensorType

    def __str__(self) -> str:
        return f"%{self.name}"


@dataclass(frozen=True, eq=False)
class Const:
    """A constant tensor. Its bytes are fetched when it is assembled, not before."""

    name: str
    type: TensorType
    tensor: ir.TensorProtocol

    def numpy(self) -> Array:
        """The content."""
        array: Array = self.tensor.numpy()
        return array

    def __str__(self) -> str:
        return f"@{self.name}"


Operand = Ref | Const
Argument = Operand | tuple[Operand, ...] | None


@dataclass(frozen=True)
class Instr:
    """One instruction of the target: named inputs, attributes, outputs; `place` never enters the artifact."""

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

    `outputs` pairs the interface's name with the operand that it shows. `dims` holds the least and the largest size
    of each open dimension by its name, `choices` the sizes of those that are listed (one place of all lists is one
    choice). `states` are what the artifact keeps from one run to the next. `sources` name the graph's values that
    operands of other names hold, and what only leads to them: an operator may take several instructions.
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
        """The golden format: one instruction a line, the module path behind it."""
        return "\n".join(_program_lines(self, "")) + "\n"

    def every_instr(self) -> Iterator[Instr]:
        """All instructions, those of blocks behind the one that holds them; the body of a loop counts once."""
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
    """One op family: the view that it takes, and how it lowers whatever is legal of it (`legality/`).

    `lower(op, builder)` returns the operand of each output of the node (a single one may stand alone).
    """

    op: type[OpT]
    lower: Callable[[OpT, Any], Operand | Sequence[Operand]]


LoweringTable = Mapping[type[Op], Lowering[Any]]


def table(*lowerings: Lowering[Any]) -> LoweringTable:
    """An explicit table; two lowerings of one view are a mistake in the table."""
    found: dict[type[Op], Lowering[Any]] = {}
    for lowering in lowerings:
        if lowering.op in found:
            raise ValueError(f"two lowerings for {lowering.op.__name__}")
        found[lowering.op] = lowering
    return found


@dataclass(frozen=True)
class Renamed:
    """The source's names of what an artifact has to call otherwise, by the artifact's names.

    `interface`: inputs, outputs and states; `values`: everything that the program computes or holds.
    """

    interface: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """What the compiler asks of a backend, in this order."""

    name: str
    tools: Mapping[str, str]
    """Versions of what takes part that edgec's own environment does not hold."""

    def format(self, target: Target) -> str:
        """The name of the format that the target's artifacts have: one of `FORMATS`."""
        ...

    def legalize(
        self, model: Model, target: Target, calibration: Calibration = UNCALIBRATED, after: AfterPass | None = None
    ) -> Rewritten:
        """A new model (the given one is left alone) with only ops of the backend's dialect, and what was done.

        `after` is called behind each pass. Raises `EdgecError` E0412 with every operator that has no way there.
        """
        ...

    def in_onnx(self, model: Model) -> Model:
        """A model on its way through `legalize` in ONNX's own operators, which engines run, for checks of passes."""
        ...

    def lower(self, model: Model, target: Target) -> Program:
        """A legalized model as plain data. Raises `EdgecError` E0412 where an instruction is not for this target."""
        ...

    def assemble(self, program: Program, target: Target, path: Path) -> None:
        """Write the artifact to `path` (which does not exist yet). The same bytes for the same program."""
        ...

    def renamed(self, program: Program, target: Target) -> Renamed:
        """What the artifact of this program calls otherwise than its source does."""
        ...

    def shown(self, target: Target) -> Shown:
        """What the artifact's interface shows otherwise than as tensors of the source."""
        ...

    def open(self, path: Path, target: Target) -> Runner:
        """A runner on the written artifact, loaded from disk, for verification."""
        ...

    def wider(self, target: Target) -> Sequence[Target]:
        """The same target with more and more in float32, to try in order where the target's accuracy is missed."""
        ...

    def macs(self, instr: Instr) -> int:
        """Multiply-accumulates of one instruction; 0 for ops that only move or map elements."""
        ...

    def placement(self, program: Program, target: Target, path: Path | None = None) -> Placement:
        """The unit that each instruction is predicted to run on; empty where nothing is published.

        Measured instead, on the artifact at `path`, where the runtime itself is here to be asked.
        """
        ...


@runtime_checkable
class QuantizingBackend(Backend, Protocol):
    """A backend whose programs may hold integers where a target's numerics ask for them."""

    def quantize(self, program: Program, target: Target, calibration: Calibration) -> tuple[Program, list[Remark]]:
        """The program with weights, or all that it computes, in integers, and what was decided."""
        ...


@runtime_checkable
class FunctionsBackend(Backend, Protocol):
    """A backend whose artifacts may hold several functions that share their weights."""

    def assemble_functions(self, programs: Mapping[str, Program], target: Target, path: Path) -> None:
        """Write the artifact, as `assemble` does; the first function is the default."""
        ...

    def open_function(self, path: Path, target: Target, function: str) -> Runner:
        """A runner on one function of the written artifact."""
        ...
