"""Which instructions XNNPACK, the GPU delegate and NNAPI take: rules per operator, each with where it is published.

XNNPACK's rules are what LiteRT 2.3's delegate was seen to take, operator by operator; `tests/sdk` compares the number
of partitions with LiteRT's own. The other delegates decide on the device; their rules are the published lists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgec.backends.base import Const, Instr, Program, Ref
from edgec.backends.placement import Placed, Placement
from edgec.spec.target import Target

_XNNPACK = frozenset(
    """
    ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CEIL CONCATENATION CONV_2D COS DEPTHWISE_CONV_2D DEPTH_TO_SPACE DIV ELU EXP
    FLOOR FULLY_CONNECTED GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG PAD PRELU
    REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR ROUND RSQRT SIN SLICE SOFTMAX SPACE_TO_DEPTH
    SPLIT SQRT SQUARED_DIFFERENCE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV
    """.split()
)
_GPU = frozenset(
    """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXP FULLY_CONNECTED LOGICAL_AND LOGISTIC MAX_POOL_2D
    MAXIMUM MINIMUM MIRROR_PAD MUL PAD PRELU RELU RELU6 RESHAPE RESIZE_BILINEAR SOFTMAX STRIDED_SLICE SUB TRANSPOSE_CONV
    """.split()
)
_NNAPI = frozenset(
    """
    ABS ADD ARG_MAX ARG_MIN AVERAGE_POOL_2D CAST CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DIV ELU EQUAL
    EXP FLOOR FULLY_CONNECTED GATHER GREATER GREATER_EQUAL HARD_SWISH LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT
    LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG NOT_EQUAL PAD PADV2 POW PRELU REDUCE_MAX
    REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SIN SLICE SOFTMAX
    SPACE_TO_DEPTH
    SPLIT SQRT STRIDED_SLICE SUB SUM TANH TILE TOPK_V2 TRANSPOSE TRANSPOSE_CONV
    """.split()
)
_MOST_JOINED = 5
"""XNNPACK's delegate concatenates two to five tensors."""


@dataclass(frozen=True)
class Delegate:
    """A delegate: the unit it stands for, its operators, what else keeps an instruction from it, and the source."""

    unit: str
    ops: frozenset[str]
    refuses: Callable[[Instr], str | None]
    evidence: str

    def rule(self, instr: Instr) -> str:
        """The rule that keeps the instruction off this delegate; empty where it is taken."""
        if instr.op not in self.ops:
            return f"{self.unit}-no-{instr.op.lower().replace('_', '-')}"
        reason = self.refuses(instr)
        return f"{self.unit}-{reason}" if reason else ""


def _xnnpack(instr: Instr) -> str | None:
    data = [v for v in instr.operands() if isinstance(v, Ref)]
    if any(v.type.dtype != "float32" for v in (*data, *instr.outputs)):
        return "float32-alone"
    if instr.op == "CONCATENATION" and len(instr.operands()) > _MOST_JOINED:
        return "concatenates-five"
    fixed = (
        ("filter", "bias") if "CONV" in instr.op else ("weights", "bias", "shape", "begin", "size", "perm", "paddings")
    )
    if any(isinstance(instr.input(name), Ref) for name in fixed):
        return "static-parameters"
    if any(isinstance(d, str) for v in (*data, *instr.outputs) for d in v.type.shape) and instr.op == "RESHAPE":
        return "static-parameters"
    return None


def _narrow(instr: Instr) -> str | None:
    """What the lists of the GPU delegate and of NNAPI say of every operator."""
    if any(len(v.type.shape) > 4 for v in (*instr.operands(), *instr.outputs)):
        return "four-dimensions"
    return "no-64-bit" if any(v.type.dtype == "int64" for v in (*instr.operands(), *instr.outputs)) else None


DELEGATES = (
    Delegate("xnnpack", _XNNPACK, _xnnpack, "as LiteRT 2.3's delegate was seen to take them, one operator at a time"),
    Delegate("gpu", _GPU, _narrow, "ai.google.dev/edge/litert, GPU delegates for LiteRT, Supported ops"),
    Delegate("nnapi", _NNAPI, _narrow, "Android NDK, NeuralNetworks.h, OperationCode up to feature level 4"),
)
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
