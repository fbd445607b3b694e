"""On which unit each instruction runs: XNNPACK or LiteRT's own kernels, and how much other delegates would take.

`tests/sdk` compares the number of XNNPACK's partitions with LiteRT's own. The other delegates decide on the device.
"""

from __future__ import annotations

from edgec.backends.base import Const, Instr, Program
from edgec.backends.placement import Placed, Placement
from edgec.backends.tflite.delegates import DELEGATES, Delegate, sized_by_data
from edgec.spec.target import Target

CPU = "cpu"
"""LiteRT's own kernels."""


def placement(program: Program, target: Target) -> Placement:
    """Where each instruction runs on the CPU, the place that every phone has: XNNPACK, or LiteRT's own kernels."""
    first = DELEGATES[0]
    placed = []
    for instr in program.instrs:
        rule = first.rule(instr)
        placed.append(Placed(instr.op, instr.outputs[0].name, instr.place, CPU if rule else first.unit, rule))
    found = {p.rule for p in placed if p.rule}
    delegated = tuple((f"{d.unit}: {_summary(program, d)}", d.evidence) for d in DELEGATES)
    return Placement(tuple(placed), (*((rule, first.evidence) for rule in sorted(found)), *delegated))


def _summary(program: Program, delegate: Delegate) -> str:
    """How much of the program a delegate takes, in how many pieces, and what breaks it."""
    rules = [delegate.rule(instr) for instr in program.instrs]
    if not delegate.resizes and (deciding := sized_by_data(program)):
        return f"0 of {len(rules)} operators: the data decide sizes ({' '.join(deciding)})"
    breaks = sorted({instr.op for instr, rule in zip(program.instrs, rules, strict=True) if rule})
    taken, pieces = sum(not rule for rule in rules), partitions(program, delegate)
    return f"{taken} of {len(rules)} operators in {pieces} partitions" + (
        f", broken by {' '.join(breaks)}" if breaks else ""
    )


def partitions(program: Program, delegate: Delegate) -> int:
    """How many pieces LiteRT cuts out for the delegate: operators are taken as soon as their inputs are there.

    As `PartitionGraphIntoIndependentNodeSubsets` of LiteRT's graph_info.cc: turn by turn, everything of one kind that
    can run, then everything of the other.
    """
    waiting = [(instr, not delegate.rule(instr)) for instr in program.instrs]
    made = {name for instr in program.instrs for name in (ref.name for ref in instr.outputs)}
    ready = {v.name for instr in program.instrs for v in instr.operands() if isinstance(v, Const) or v.name not in made}
    count = 0
    while waiting:
        kind = next(taken for instr, taken in waiting if _can_run(instr, ready))
        count += kind
        waiting = _take(waiting, kind, ready)
    return count


def _can_run(instr: Instr, ready: set[str]) -> bool:
    return all(v.name in ready for v in instr.operands())


def _take(waiting: list[tuple[Instr, bool]], kind: bool, ready: set[str]) -> list[tuple[Instr, bool]]:
    """Run everything of one kind, in order (the program is sorted); what is left."""
    left = []
    for instr, taken in waiting:
        if taken is kind and _can_run(instr, ready):
            ready.update(ref.name for ref in instr.outputs)
        else:
            left.append((instr, taken))
    return left
