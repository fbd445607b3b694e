"""Activations disappear into the instruction before them, as kernels and delegates like it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from edgec.backends.base import Instr, Program, Ref
from edgec.backends.tflite.lower.common import NONE, RELU, RELU6, RELU_N1_TO_1

_ACTIVATIONS = {"RELU": RELU, "RELU6": RELU6, "RELU_N1_TO_1": RELU_N1_TO_1}
_HOSTS = frozenset(
    {
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "CONV_3D",
        "FULLY_CONNECTED",
        "ADD",
        "SUB",
        "MUL",
        "DIV",
        "TRANSPOSE_CONV",
        "AVERAGE_POOL_2D",
        "MAX_POOL_2D",
    }
)


def fuse_activations(program: Program) -> Program:
    """RELU, RELU6 and RELU_N1_TO_1 whose only input is made by a kernel that can apply them, and used nowhere else."""
    uses = Counter(operand.name for instr in program.instrs for operand in instr.operands())
    uses.update(operand.name for _, operand in program.outputs)
    makers: dict[str, int] = {}
    kept: list[Instr] = []
    for instr in program.instrs:
        host = _host(instr, kept, makers, uses)
        if host is None:
            makers.update((ref.name, len(kept)) for ref in instr.outputs)
            kept.append(instr)
            continue
        kept[host] = _with_activation(kept[host], instr)
        makers[instr.outputs[0].name] = host
    return replace(program, instrs=tuple(kept))


def _host(instr: Instr, kept: list[Instr], makers: dict[str, int], uses: Counter[str]) -> int | None:
    """The position of the instruction that can take this activation, or None."""
    if instr.op not in _ACTIVATIONS:
        return None
    source = instr.operands()[0]
    index = makers.get(source.name)
    if not isinstance(source, Ref) or index is None or uses[source.name] != 1:
        return None
    maker = kept[index]
    plain = dict(maker.attrs).get("fusedActivationFunction") == NONE
    return index if maker.op in _HOSTS and plain and source.type.dtype == "float32" else None


def _with_activation(host: Instr, activation: Instr) -> Instr:
    code = _ACTIVATIONS[activation.op]
    attrs = tuple((k, code if k == "fusedActivationFunction" else v) for k, v in host.attrs)
    return replace(host, attrs=attrs, outputs=activation.outputs)
