"""The choice of instructions that stay in float, each with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from edgec.backends.base import Const, Instr, Operand, Program, Ref
from edgec.backends.tflite.quantize.kernels import LINEAR, Demand, data, demand, refusal
from edgec.calibration.statistics import NEVER, Statistics

_LARGEST = 1e5
"""The magnitude, as of masks, at which ordinary values are lost in 8 bits."""

_PADS = frozenset({"PADV2", "RESHAPE", "MAX_POOL_2D"})
"""Builtins that pass the lowest value to a maximum, which never selects it."""

_STEEP = frozenset({"SQRT", "RSQRT", "DIV", "POW", "LOG"})
"""Builtins without an 8-bit kernel that amplify small differences, like the root of a normalization."""

_SCALED = frozenset({"MUL", "SUB", "ADD"})
_REDUCTIONS = frozenset({"MEAN", "SUM"})


def kept_in_floats(program: Program, seen: Mapping[str, Statistics]) -> dict[int, str]:
    """The positions of the instructions that stay in float, with their reasons.

    These are: instructions without an 8-bit kernel; those with operands or results that were not observed or need
    more than 8 bits; the arithmetic of a normalization around its root, whose squares do; the computation of indices,
    coordinates and rounded values; and concatenations of very different ranges into an output of the model.
    """
    found: dict[int, str] = {}
    for i, instr in enumerate(program.instrs):
        if takes_part(instr) and (reason := _reason(instr, seen)):
            found[i] = reason
    _add_normalizations(program, found)
    _add_places(program, found)
    _add_joins(program, found, seen)
    return found


def takes_part(instr: Instr) -> bool:
    """Whether the instruction has float operands or results, rather than only sizes, indices and booleans."""
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
    """The reason why 8 bits do not represent a value; empty if they do."""
    if isinstance(value, Const):
        largest = float(np.abs(value.numpy()).max(initial=0.0))
        if largest >= NEVER and instr.op in _PADS:
            return ""
        return f"a constant of {largest:.3g} leaves no resolution for other values" if not largest < _LARGEST else ""
    found = seen.get(value.name)
    if found is None or not found.samples:
        return f"`{value.name}` was not observed"
    if found.infinite and instr.op not in _PADS:
        return f"`{value.name}` has infinite values"
    largest = max(-found.low, found.high)
    return f"`{value.name}` has values up to {largest:.3g}" if largest >= _LARGEST else ""


def _add_normalizations(program: Program, found: dict[int, str]) -> None:
    """Add the multiplications by a root's reciprocal, and the instructions that only lead to the root."""
    makers = {ref.name: i for i, instr in enumerate(program.instrs) for ref in instr.outputs}
    users: dict[str, list[int]] = {}
    for i, instr in enumerate(program.instrs):
        for operand in instr.operands():
            users.setdefault(operand.name, []).append(i)
    steep = [i for i in found if program.instrs[i].op in _STEEP]
    reason = "it is part of a normalization, whose squares need more than 8 bits"
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
    """Whether an instruction is one that normalizations have between their input and their root: a mean, a difference
    from it, a square, the addition of a small constant.
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


_ROUNDING = frozenset({"CAST", "FLOOR", "CEIL", "ROUND", "FLOOR_MOD", "FLOOR_DIV"})
"""Builtins that give integral values: mostly indices and coordinates."""


_OF_PLACES = "an index, a coordinate or a rounded value is computed from it, which needs more than 8 bits"


def _add_places(program: Program, found: dict[int, str]) -> None:
    """Add what rounded values are computed from, back to the last layer, and what uses them: x - floor(x)."""
    makers = {ref.name: i for i, instr in enumerate(program.instrs) for ref in instr.outputs}
    rounding = {
        i
        for i, instr in enumerate(program.instrs)
        if instr.op in _ROUNDING and any(_is_number(operand) for operand in instr.operands())
    }
    rounded = {ref.name for i in rounding for ref in program.instrs[i].outputs}
    pending = list(rounding)
    pending += [i for i, instr in enumerate(program.instrs) if any(v.name in rounded for v in instr.operands())]
    while pending:
        position = pending.pop()
        if takes_part(program.instrs[position]):
            found.setdefault(position, _OF_PLACES)
        for operand in program.instrs[position].operands():
            maker = makers.get(operand.name)
            if maker is None or maker in found or program.instrs[maker].op in LINEAR or not _is_number(operand):
                continue
            pending.append(maker)


_UNLIKE = 8.0
"""The largest ratio between the ranges of concatenated values: the smaller one then has 32 of 256 levels."""


def _add_joins(program: Program, found: dict[int, str], seen: Mapping[str, Statistics]) -> None:
    """Add a CONCATENATION of very different ranges whose result is only moved to an output: boxes and scores."""
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
    return f"it concatenates values up to {most:.3g} with values up to {least:.3g}, which would share one scale"
