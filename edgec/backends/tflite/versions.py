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
    return _VERSIONS.get(instr.op, 1)


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
