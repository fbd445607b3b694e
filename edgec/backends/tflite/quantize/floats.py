"""Which instructions stay in floats, each with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from edgec.backends.base import Const, Instr, Operand, Program, Ref
from edgec.backends.tflite.quantize.kernels import Demand, data, demand, refusal
from edgec.calibration.statistics import NEVER, Statistics

_LARGEST = 1e5
"""A magnitude beside which numbers of common size vanish in 256 steps: what masks add."""

_PADS = frozenset({"PADV2", "RESHAPE", "MAX_POOL_2D"})
"""What hands on the lowest number on its way to a maximum, which never takes it."""

_STEEP = frozenset({"SQRT", "RSQRT", "DIV", "POW", "LOG"})
"""Builtins without an 8-bit kernel that make large differences of small ones, as a normalization's root does."""

_SCALED = frozenset({"MUL", "SUB", "ADD"})
_REDUCTIONS = frozenset({"MEAN", "SUM"})


def kept_in_floats(program: Program, seen: Mapping[str, Statistics]) -> dict[int, str]:
    """The positions of instructions on numbers that stay in floats, with the reason of each.

    Those are: what has no 8-bit kernel; what was never observed; what takes or gives numbers that need more than 256
    steps; the arithmetic of a normalization around its root, whose squares do; and what joins unlike ranges into a
    result of the model.
    """
    found: dict[int, str] = {}
    for i, instr in enumerate(program.instrs):
        if takes_part(instr) and (reason := _reason(instr, seen)):
            found[i] = reason
    _add_normalizations(program, found)
    _add_joins(program, found, seen)
    return found


def takes_part(instr: Instr) -> bool:
    """Whether the instruction takes or gives numbers, rather than sizes, places and truths alone."""
    return any(_is_number(value) for value in (*instr.operands(), *instr.outputs)) or bool(instr.blocks)


def _reason(instr: Instr, seen: Mapping[str, Statistics]) -> str:
    if reason := refusal(instr):
        return reason
    values = [*(operand for _, operand in data(instr)), *(ref for ref in instr.outputs if _is_number(ref))]
    for value in values:
        if reason := _unfit(value, instr, seen):
            return reason
    return ""


def _is_number(value: Operand) -> bool:
    return value.type.dtype == "float32"


def _unfit(value: Operand, instr: Instr, seen: Mapping[str, Statistics]) -> str:
    """Why 256 steps do not hold a value."""
    if isinstance(value, Const):
        largest = float(np.abs(value.numpy()).max(initial=0.0))
        if largest >= NEVER and instr.op in _PADS:
            return ""
        return f"a constant of {largest:.3g} leaves no steps for other numbers" if not largest < _LARGEST else ""
    found = seen.get(value.name)
    if found is None or not found.samples:
        return f"`{value.name}` was not observed"
    if found.infinite and instr.op not in _PADS:
        return f"`{value.name}` holds infinite numbers"
    largest = max(-found.low, found.high)
    return f"`{value.name}` holds numbers up to {largest:.3g}" if largest >= _LARGEST else ""


def _add_normalizations(program: Program, found: dict[int, str]) -> None:
    """What is multiplied by a root's reciprocal, and what leads to the root, as far as nothing else uses it."""
    makers = {ref.name: i for i, instr in enumerate(program.instrs) for ref in instr.outputs}
    users: dict[str, list[int]] = {}
    for i, instr in enumerate(program.instrs):
        for operand in instr.operands():
            users.setdefault(operand.name, []).append(i)
    steep = [i for i in found if program.instrs[i].op in _STEEP]
    reason = "it belongs to a normalization, whose squares need more than 256 steps"
    inside = set(steep)
    for i in steep:
        for user in _uses(program.instrs[i], users):
            if program.instrs[user].op in _SCALED and user not in found:
                found[user] = reason
                inside.add(user)
    pending = sorted(inside)
    while pending:
        for operand in program.instrs[pending.pop()].operands():
            maker = makers.get(operand.name)
            if maker is None or maker in found or not _is_of_normalization(program, maker, makers):
                continue
            if all(user in found for user in _uses(program.instrs[maker], users)) and not _is_shown(program, maker):
                found[maker] = reason
                pending.append(maker)


def _is_of_normalization(program: Program, position: int, makers: Mapping[str, int]) -> bool:
    """Whether an instruction is what normalizations compute between their input and their root: a mean, a difference
    from it, a square, a small constant added.
    """
    instr = program.instrs[position]
    operands = instr.operands()
    match instr.op:
        case "MEAN" | "SUM" | "SQUARED_DIFFERENCE" | "ABS":
            return True
        case "MUL" | "ADD" | "MAXIMUM":
            return operands[0] == operands[1] or any(isinstance(operand, Const) for operand in operands)
        case "SUB":
            maker = makers.get(operands[1].name)
            return maker is not None and program.instrs[maker].op in _REDUCTIONS
    return False


def _uses(instr: Instr, users: Mapping[str, list[int]]) -> Iterable[int]:
    return [user for ref in instr.outputs for user in users.get(ref.name, ())]


def _is_shown(program: Program, position: int) -> bool:
    names = {ref.name for ref in program.instrs[position].outputs}
    return any(isinstance(operand, Ref) and operand.name in names for _, operand in program.outputs)


_UNLIKE = 8.0
"""How many times the range of another value that is joined with it a range may be: the other has 32 steps left."""


def _add_joins(program: Program, found: dict[int, str], seen: Mapping[str, Statistics]) -> None:
    """A CONCATENATION of unlike ranges that leads, moved about alone, to a result: boxes beside scores."""
    makers = {ref.name: i for i, instr in enumerate(program.instrs) for ref in instr.outputs}
    counts = Counter(operand.name for instr in program.instrs for operand in instr.operands())
    for _, shown in program.outputs:
        path, name = [], shown.name
        while (i := makers.get(name)) is not None and i not in found:
            instr = program.instrs[i]
            path.append(i)
            numbers = [operand for _, operand in data(instr)]
            if instr.op == "CONCATENATION":
                if reason := _unlike(numbers, seen):
                    found.update(dict.fromkeys(path, reason))
                break
            if demand(instr.op) is not Demand.SAME or len(numbers) != 1 or counts[numbers[0].name] != 1:
                break
            name = numbers[0].name


def _unlike(numbers: Sequence[Operand], seen: Mapping[str, Statistics]) -> str:
    ranges = [max(-s.low, s.high) for value in numbers if (s := seen.get(value.name)) is not None and s.samples]
    least, most = min(ranges, default=0.0), max(ranges, default=0.0)
    if most <= _UNLIKE * least:
        return ""
    return f"it joins values up to {most:.3g} with values up to {least:.3g}, which would share 256 steps"
