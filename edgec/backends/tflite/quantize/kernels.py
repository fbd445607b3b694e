"""The builtins with an 8-bit kernel, and their requirements for the scales of operands and results.

Sources: the 8-bit quantization specification (ai.google.dev/edge/litert/models/quantization_spec), and LiteRT,
tflite/kernels, Prepare of each kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from edgec.backends.base import Const, Instr, Operand, Ref
from edgec.backends.tflite.quantize.channels import weight_of
from edgec.quantization.parameters import Quantization


class Demand(Enum):
    """A kernel's requirement for scales: none, or the same one for all operands and results."""

    FREE = "free"
    SAME = "same"


_FREE = frozenset(
    """
    ABS ADD BATCH_MATMUL CONV_2D DEPTHWISE_CONV_2D ELU EXP FULLY_CONNECTED GELU HARD_SWISH LEAKY_RELU MEAN MUL PRELU
    RELU RELU6 RELU_N1_TO_1 SQUARED_DIFFERENCE SUB SUM TRANSPOSE_CONV
    """.split()
)
_SAME = frozenset(
    """
    AVERAGE_POOL_2D BROADCAST_TO CONCATENATION DEPTH_TO_SPACE EXPAND_DIMS GATHER GATHER_ND MAXIMUM MAX_POOL_2D MINIMUM
    MIRROR_PAD PAD PADV2 REDUCE_MAX REDUCE_MIN RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SELECT_V2 SLICE
    SPACE_TO_DEPTH SPLIT SPLIT_V SQUEEZE STRIDED_SLICE TILE TRANSPOSE
    """.split()
)
_FIXED = {
    "LOGISTIC": Quantization((1 / 256,), (-128,)),
    "SOFTMAX": Quantization((1 / 256,), (-128,)),
    "TANH": Quantization((1 / 128,), (0,)),
    "L2_NORMALIZATION": Quantization((1 / 128,), (0,)),
    "LOG_SOFTMAX": Quantization((16 / 256,), (127,)),
}
"""Builtins whose result has a fixed scale and zero point."""

LINEAR = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})
"""Builtins that multiply by constant weights and add a 32-bit bias."""

CHOICES = frozenset({"ARG_MAX", "ARG_MIN"})
"""Builtins with quantized operands and an index as result."""

_MOST_DIMENSIONS = {"MEAN": 5, "SUM": 5, "PAD": 5, "PADV2": 5, "SLICE": 5, "SUB": 5, "ADD": 6, "MUL": 6, "PRELU": 4}
"""The maximum rank of 8-bit kernels, where it differs from that of float kernels."""

BIAS_BITS = 30
"""The most magnitude bits of a bias: the accumulator has 32."""


def demand(op: str) -> Demand | Quantization | None:
    """The requirement of the builtin's 8-bit kernel, or the quantization of its result; None if there is no kernel."""
    if op in _FREE:
        return Demand.FREE
    if op in _SAME:
        return Demand.SAME
    return _FIXED.get(op)


def data(instr: Instr) -> Iterator[tuple[str, Operand]]:
    """The float operands, by the name of their argument, without weights and biases of linear builtins."""
    for name, argument in instr.inputs:
        if instr.op in LINEAR and name in ("filter", "weights", "bias"):
            continue
        for operand in argument if isinstance(argument, tuple) else (argument,):
            if operand is not None and operand.type.dtype == "float32":
                yield name, operand


def refusal(instr: Instr) -> str:
    """The reason why the instruction cannot run in 8 bits, for messages; empty if it can."""
    if instr.op not in CHOICES and demand(instr.op) is None:
        return "there is no 8-bit kernel"
    if instr.op in LINEAR and (weight_of(instr) is None or not isinstance(instr.input("bias"), Const)):
        return "its weights are computed"
    rank = max(len(v.type.shape) for v in (*instr.operands(), *instr.outputs))
    if rank > _MOST_DIMENSIONS.get(instr.op, 8):
        return f"the 8-bit kernel supports at most {_MOST_DIMENSIONS[instr.op]} dimensions"
    numbers = [operand for _, operand in data(instr)]
    if not any(isinstance(operand, Ref) for operand in numbers):
        return "it has no computed operand"
    if instr.op == "SELECT_V2" and rank > 4:
        return "the 8-bit kernel supports at most 4 dimensions"
    return ""
