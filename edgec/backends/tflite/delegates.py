"""A program's instructions as the ledger of delegates looks at operators."""

from __future__ import annotations

from edgec.backends.base import Const, Instr, Operand, Program
from edgec.backends.tflite.versions import version_of
from edgec.ledger.tflite.delegates import Delegate, sized_by_data
from edgec.ledger.tflite.uses import Use, Value


def rules(program: Program, delegate: Delegate) -> list[str]:
    """For each instruction the rule that keeps it off the delegate; empty where it is taken."""
    return [delegate.rule(_use(instr)) for instr in program.instrs]


def deciding(program: Program) -> list[str]:
    """The operators of a program that give results whose size only the data decide."""
    return sized_by_data(_use(instr) for instr in program.every_instr())


def _use(instr: Instr) -> Use:
    operands: list[tuple[str, Value]] = []
    for name, argument in instr.inputs:
        given = argument if isinstance(argument, tuple) else (argument,)
        operands += [(name, _value(operand)) for operand in given if operand is not None]
    return Use(instr.op, version_of(instr), tuple(operands), tuple(_value(ref) for ref in instr.outputs))


def _value(operand: Operand) -> Value:
    return Value(operand.type.dtype, operand.type.shape, isinstance(operand, Const))
