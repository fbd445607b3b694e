"""Versions of builtins, and the oldest runtime that supports the emitted forms.

Source: LiteRT, tflite/tools/versioning/op_version.cc.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgec.backends.base import Instr
from edgec.ledger.tflite.runtimes import BUFFERS_OUTSIDE, OLDEST, as_numbers, first_runtime

_VERSIONS = {
    "FULLY_CONNECTED": 5, "TRANSPOSE_CONV": 3, "RESIZE_BILINEAR": 3,
    "RESIZE_NEAREST_NEIGHBOR": 3, "SLICE": 3, "STRIDED_SLICE": 4, "SPLIT_V": 2, "GATHER": 2,
    "DEPTHWISE_CONV_2D": 2, "BROADCAST_TO": 2,
}  # fmt: skip
"""Builtin versions above 1 required by the emitted forms."""

_PLAIN = frozenset({"float32", "int32", "int64"})
_FIRST_UP_TO_RANK_4 = frozenset({"SLICE", "STRIDED_SLICE"})
"""Builtins whose version 1 suffices for plain types and up to four dimensions: NNAPI supports no newer one."""


def version_of(instr: Instr) -> int:
    """The builtin's version to declare."""
    x = instr.operands()[0].type if instr.inputs else None
    if instr.op in _FIRST_UP_TO_RANK_4 and x is not None and x.dtype in _PLAIN and len(x.shape) <= 4:
        return 1
    if instr.op == "GATHER_ND" and x is not None and x.dtype == "bool":
        return 5
    if instr.op == "DEQUANTIZE" and x is not None and x.quantization is not None:
        return 6 if x.dtype == "int4" else 2 if x.quantization.is_per_tensor else 5
    if any(value.type.quantization is not None for value in instr.outputs):
        return _version_in_integers(instr)
    return _VERSIONS.get(instr.op, 1)


_IN_INTEGERS = {
    **dict.fromkeys("CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV TILE BROADCAST_TO".split(), 3),
    **dict.fromkeys("RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR".split(), 3),
    **dict.fromkeys("ADD SUB MUL AVERAGE_POOL_2D MAX_POOL_2D CONCATENATION SOFTMAX LOG_SOFTMAX MEAN SUM".split(), 2),
    **dict.fromkeys("MIRROR_PAD REDUCE_MAX REDUCE_MIN RELU RELU6 ABS LOGISTIC TANH L2_NORMALIZATION GELU".split(), 2),
    **dict.fromkeys("MAXIMUM MINIMUM SQUARED_DIFFERENCE DEPTH_TO_SPACE SPACE_TO_DEPTH EXP BATCH_MATMUL".split(), 2),
    **dict.fromkeys("GATHER SPLIT SPLIT_V SLICE STRIDED_SLICE TRANSPOSE PAD PADV2".split(), 2),
    "FULLY_CONNECTED": 5,
}
"""Versions of builtins on numbers of eight bits with a scale."""

_MORE_DIMENSIONS = {"SLICE": 5, "STRIDED_SLICE": 4, "TRANSPOSE": 4, "PAD": 4, "PADV2": 4, "MAXIMUM": 3, "MINIMUM": 3}
"""The same above four dimensions."""

_CHANNELWISE_PRODUCT = 12
"""FULLY_CONNECTED with a scale for each channel: kernels before have one, and would compute something else."""


def _version_in_integers(instr: Instr) -> int:
    operands = instr.operands()
    rank = max(len(operand.type.shape) for operand in operands)
    if instr.op == "TRANSPOSE" and rank > 5:
        return 6
    if rank > 4 and instr.op in _MORE_DIMENSIONS:
        return _MORE_DIMENSIONS[instr.op]
    scales = [v.type.quantization for v in (*operands, *instr.outputs) if v.type.quantization is not None]
    if instr.op == "FULLY_CONNECTED" and not all(found.is_per_tensor for found in scales):
        return _CHANNELWISE_PRODUCT
    if instr.op == "MUL" and scales[0].scale * scales[1].scale >= scales[2].scale:
        return 3
    return _IN_INTEGERS.get(instr.op, 1)


def runtime_of(instr: Instr) -> str:
    """The oldest release that runs the instruction; for parameters only the type counts."""
    values = (*instr.operands(), *instr.outputs)
    rank = max((len(value.type.shape) for value in values), default=0)
    return first_runtime(instr.op, [value.type.dtype for value in values], rank)


def minimum_runtime(instrs: Iterable[Instr], *, outside: bool = False) -> str:
    """The oldest release that runs all instructions (and, with `outside`, maps buffers), as `2.9.0`."""
    needed = {OLDEST, BUFFERS_OUTSIDE} if outside else {OLDEST}
    needed.update(runtime_of(instr) for instr in instrs)
    newest = max(needed, key=as_numbers)
    return newest if newest.count(".") > 1 else f"{newest}.0"
