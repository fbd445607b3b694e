"""The reference of 8-bit kernels: each instruction in float between DEQUANTIZE and QUANTIZE, on the same inputs.

Instructions are compared individually, on the quantized values that the artifact itself computed before, so that
errors do not propagate.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Argument, Const, Instr, Operand, Program, Ref, TensorType
from edgec.backends.tflite.assemble import assemble
from edgec.diag import warning
from edgec.passes.remarks import Remark, Told
from edgec.quantization.remarks import StepCheck
from edgec.runners.base import Array
from edgec.runners.litert import LiteRTRunner
from edgec.spec.target import Target


@dataclass(frozen=True)
class Apart:
    """One integer value: its elements, those that differ from the reference, the largest difference in steps."""

    op: str
    name: str
    size: int
    off: int
    largest: int


def check_steps(program: Program, target: Target, path: Path, samples: Sequence[Mapping[str, Array]]) -> list[Remark]:
    """Compare the artifact's integer kernels with the reference; a warning (E0622) for more than one step."""
    check, found = compare_steps(program, target, path, samples)
    worst = sorted((a for a in found if a.largest > 1), key=lambda a: -a.largest)
    if not worst:
        return [check]
    message = f"target `{target.name}`: {len({a.name for a in worst})} integer values differ by more than one step"
    notes = [f"`{a.op}` computes `{a.name}`: {a.off} of {a.size} differ by up to {a.largest} steps" for a in worst[:5]]
    return [check, Told(warning("E0622", message, notes=notes))]


def compare_steps(
    program: Program, target: Target, path: Path, samples: Sequence[Mapping[str, Array]]
) -> tuple[StepCheck, list[Apart]]:
    """Run the artifact of `program` at `path`, and each of its integer instructions in float on the same inputs.

    Raises `EdgecError` E0602 if one of them cannot be run.
    """
    reference = unfolded(program)
    found: list[Apart] = []
    if not reference.instrs:
        return StepCheck.of([]), found
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / "reference.tflite"
        assemble(reference, target, beside)
        with (
            LiteRTRunner(path, keep_values=True, as_source=True) as artifact,
            LiteRTRunner(beside, keep_values=True) as checked,
        ):
            for sample in samples:
                artifact.run(sample)
                steps = dict(artifact.values())
                steps |= {ref.name: sample[ref.name] for ref in program.inputs if ref.name in sample}
                expected = checked.run({ref.name: steps[ref.name.removesuffix(_GIVEN)] for ref in reference.inputs})
                found += [_apart(instr, ref, expected[ref.name], steps[ref.name]) for instr, ref in _made(program)]
    return StepCheck.of([(a.size, a.off, a.largest) for a in found]), found


_GIVEN = "/given"


def unfolded(program: Program) -> Program:
    """Each integer instruction of the main program as DEQUANTIZE, its float form and QUANTIZE, fed from inputs."""
    inputs: dict[str, Ref] = {}
    instrs: list[Instr] = []
    outputs: list[tuple[str, Operand]] = []
    floats: dict[str, Ref] = {}

    def as_float(operand: Operand) -> Operand:
        quantization = operand.type.quantization
        if isinstance(operand, Const):
            return operand if quantization is None else _numbers(operand)
        if operand.name not in floats:
            given = inputs[operand.name] = Ref(operand.name + _GIVEN, operand.type)
            if quantization is None:
                return given
            kind = TensorType("float32", operand.type.shape)
            floats[operand.name] = Ref(f"{operand.name}/number", kind)
            instrs.append(Instr("DEQUANTIZE", (("input", given),), (), (floats[operand.name],)))
        return floats[operand.name]

    def mapped(argument: Argument) -> Argument:
        if argument is None:
            return None
        return tuple(map(as_float, argument)) if isinstance(argument, tuple) else as_float(argument)

    for instr, _ in {id(instr): (instr, ref) for instr, ref in _made(program)}.values():
        arguments = tuple((name, mapped(argument)) for name, argument in instr.inputs)
        numbers = tuple(Ref(f"{ref.name}/exact", TensorType("float32", ref.type.shape)) for ref in instr.outputs)
        if instr.op == "QUANTIZE":
            numbers = tuple(v for _, v in arguments if isinstance(v, Ref))
        else:
            instrs.append(replace(instr, inputs=arguments, outputs=numbers))
        for number, ref in zip(numbers, instr.outputs, strict=True):
            instrs.append(Instr("QUANTIZE", (("input", number),), (), (ref,)))
            outputs.append((ref.name, ref))
    return Program(f"{program.name}_reference", tuple(inputs.values()), tuple(instrs), tuple(outputs))


def _made(program: Program) -> list[tuple[Instr, Ref]]:
    """The integer values of the main program and the instructions that compute them, without QUANTIZEs of floats."""
    return [
        (instr, ref)
        for instr in program.instrs
        for ref in instr.outputs
        if ref.type.quantization is not None
        and not (instr.op == "QUANTIZE" and instr.operands()[0].type.quantization is None)
    ]


def _numbers(constant: Const) -> Const:
    """A quantized constant, dequantized."""
    quantization = constant.type.quantization
    assert quantization is not None
    name = f"{constant.name}/number"
    numbers = quantization.numbers(constant.numpy())
    return Const(name, TensorType("float32", constant.type.shape), ir.Tensor(numbers, name=name))


def _apart(instr: Instr, ref: Ref, expected: Array, found: Array) -> Apart:
    apart = np.abs(found.astype(np.int64) - expected.astype(np.int64))
    return Apart(instr.op, ref.name, apart.size, int(np.count_nonzero(apart)), int(apart.max(initial=0)))
