"""A program's instructions in the form that the ledger of delegates examines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from edgec.backends.base import Const, Instr, Operand, Program
from edgec.backends.tflite.versions import version_of
from edgec.ledger.tflite.delegates import sized_by_data
from edgec.ledger.tflite.uses import Use, Value


def uses(program: Program) -> list[Use]:
    """The instructions as uses, without those in loops and branches."""
    return list(_uses(program.instrs))


def deciding(program: Program) -> list[str]:
    """The operators of a program whose results have data-dependent sizes."""
    return sized_by_data(_uses(program.every_instr()))


def _uses(instrs: Iterable[Instr]) -> Iterator[Use]:
    """The instructions as uses; the result of a DEQUANTIZE of a constant counts as a constant."""
    widened: set[str] = set()
    for instr in instrs:
        found = _use(instr, widened)
        if instr.op == "DEQUANTIZE" and not found.data:
            widened.update(ref.name for ref in instr.outputs)
        yield found


def _use(instr: Instr, widened: Collection[str]) -> Use:
    operands: list[tuple[str, Value]] = []
    for name, argument in instr.inputs:
        given = argument if isinstance(argument, tuple) else (argument,)
        operands += [(name, _value(operand, widened)) for operand in given if operand is not None]
    return Use(instr.op, version_of(instr), tuple(operands), tuple(_value(ref, ()) for ref in instr.outputs))


def _value(operand: Operand, widened: Collection[str]) -> Value:
    kind = operand.type
    fixed = isinstance(operand, Const) or operand.name in widened
    return Value(kind.dtype, kind.shape, fixed, kind.quantization is not None)
