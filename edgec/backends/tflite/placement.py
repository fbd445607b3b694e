"""Placement: XNNPACK or LiteRT's own kernels for each instruction, and how much other delegates would run.

`tests/sdk` compares the number of XNNPACK's partitions with LiteRT's. The other delegates decide on the device.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgec.backends.base import Program
from edgec.backends.placement import Placed, Placement
from edgec.backends.tflite.delegates import deciding, uses
from edgec.ledger.tflite.delegates import DELEGATES, Delegate
from edgec.ledger.tflite.uses import Use
from edgec.spec.target import Target

CPU = "cpu"
"""LiteRT's own kernels."""


def placement(program: Program, target: Target) -> Placement:
    """The placement of each instruction on the CPU, which every phone has: XNNPACK, or LiteRT's own kernels."""
    first, operators, sized = DELEGATES[0], uses(program), deciding(program)
    placed = []
    for instr, rule in zip(program.instrs, map(first.rule, operators), strict=True):
        placed.append(Placed(instr.op, instr.outputs[0].name, instr.place, CPU if rule else first.unit, rule))
    found = {p.rule for p in placed if p.rule}
    delegated = tuple((f"{d.unit}: {_summary(program, operators, sized, d)}", d.evidence) for d in DELEGATES)
    return Placement(tuple(placed), (*((rule, first.evidence) for rule in sorted(found)), *delegated))


def _summary(program: Program, operators: Sequence[Use], sized: Sequence[str], delegate: Delegate) -> str:
    """The operators that a delegate runs, its partitions, and what breaks them; `sized` have data-dependent sizes."""
    if sized and not delegate.resizes:
        return f"0 of {len(operators)} operators: sizes depend on data ({' '.join(sized)})"
    taken = [not delegate.unmet(use) for use in operators]
    breaks = sorted({use.op for use, takes in zip(operators, taken, strict=True) if not takes})
    return f"{sum(taken)} of {len(operators)} operators in {_partitions(program, taken)} partitions" + (
        f", broken by {' '.join(breaks)}" if breaks else ""
    )


def partitions(program: Program, delegate: Delegate) -> int:
    """The number of partitions that LiteRT gives to the delegate."""
    return _partitions(program, [not delegate.unmet(use) for use in uses(program)])


def _partitions(program: Program, taken: Sequence[bool]) -> int:
    """The number of delegated partitions of a program: an operator is added as soon as its inputs are computed.

    As `PartitionGraphIntoIndependentNodeSubsets` of LiteRT's graph_info.cc: alternately all operators of one kind that
    can run, then all of the other.
    """
    missing, users = _dependencies(program)
    ready: dict[bool, list[int]] = {True: [], False: []}
    for i, number in enumerate(missing):
        if not number:
            ready[taken[i]].append(i)
    kind, count = ready[True][:1] < ready[False][:1] if ready[True] and ready[False] else bool(ready[True]), 0
    while ready[True] or ready[False]:
        count += kind
        while ready[kind]:
            for user in users[ready[kind].pop()]:
                missing[user] -= 1
                if not missing[user]:
                    ready[taken[user]].append(user)
        kind = not kind
    return count


def _dependencies(program: Program) -> tuple[list[int], list[list[int]]]:
    """For each instruction, the number of instructions that it depends on, and those that depend on it."""
    maker = {ref.name: i for i, instr in enumerate(program.instrs) for ref in instr.outputs}
    users: list[list[int]] = [[] for _ in program.instrs]
    missing = []
    for i, instr in enumerate(program.instrs):
        before = {maker[v.name] for v in instr.operands() if v.name in maker}
        missing.append(len(before))
        for j in before:
            users[j].append(i)
    return missing, users
