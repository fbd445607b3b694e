"""On which unit each instruction runs: XNNPACK or LiteRT's own kernels, and how much other delegates would take.

`tests/sdk` compares the number of XNNPACK's partitions with LiteRT's own. The other delegates decide on the device.
"""

from __future__ import annotations

from edgec.backends.base import Program
from edgec.backends.placement import Placed, Placement
from edgec.backends.tflite.delegates import deciding, rules
from edgec.ledger.tflite.delegates import DELEGATES, Delegate
from edgec.spec.target import Target

CPU = "cpu"
"""LiteRT's own kernels."""


def placement(program: Program, target: Target) -> Placement:
    """Where each instruction runs on the CPU, the place that every phone has: XNNPACK, or LiteRT's own kernels."""
    first = DELEGATES[0]
    placed = []
    for instr, rule in zip(program.instrs, rules(program, first), strict=True):
        placed.append(Placed(instr.op, instr.outputs[0].name, instr.place, CPU if rule else first.unit, rule))
    found = {p.rule for p in placed if p.rule}
    delegated = tuple((f"{d.unit}: {_summary(program, d)}", d.evidence) for d in DELEGATES)
    return Placement(tuple(placed), (*((rule, first.evidence) for rule in sorted(found)), *delegated))


def _summary(program: Program, delegate: Delegate) -> str:
    """How much of the program a delegate takes, in how many pieces, and what breaks it."""
    kept_off = rules(program, delegate)
    if not delegate.resizes and (ops := deciding(program)):
        return f"0 of {len(kept_off)} operators: the data decide sizes ({' '.join(ops)})"
    breaks = sorted({instr.op for instr, rule in zip(program.instrs, kept_off, strict=True) if rule})
    taken, pieces = sum(not rule for rule in kept_off), partitions(program, delegate)
    return f"{taken} of {len(kept_off)} operators in {pieces} partitions" + (
        f", broken by {' '.join(breaks)}" if breaks else ""
    )


def partitions(program: Program, delegate: Delegate) -> int:
    """How many pieces LiteRT cuts out for the delegate: operators are taken as soon as their inputs are there.

    As `PartitionGraphIntoIndependentNodeSubsets` of LiteRT's graph_info.cc: turn by turn, everything of one kind that
    can run, then everything of the other.
    """
    kinds = [not rule for rule in rules(program, delegate)]
    missing, users = _dependencies(program)
    ready: dict[bool, list[int]] = {True: [], False: []}
    for i, number in enumerate(missing):
        if not number:
            ready[kinds[i]].append(i)
    kind, count = ready[True][:1] < ready[False][:1] if ready[True] and ready[False] else bool(ready[True]), 0
    while ready[True] or ready[False]:
        count += kind
        while ready[kind]:
            for user in users[ready[kind].pop()]:
                missing[user] -= 1
                if not missing[user]:
                    ready[kinds[user]].append(user)
        kind = not kind
    return count


def _dependencies(program: Program) -> tuple[list[int], list[list[int]]]:
    """For each instruction, how many others it waits for, and which ones wait for it."""
    maker = {ref.name: i for i, instr in enumerate(program.instrs) for ref in instr.outputs}
    users: list[list[int]] = [[] for _ in program.instrs]
    missing = []
    for i, instr in enumerate(program.instrs):
        before = {maker[v.name] for v in instr.operands() if v.name in maker}
        missing.append(len(before))
        for j in before:
            users[j].append(i)
    return missing, users
