"""Versions of builtins, and the oldest runtime that has the forms that are emitted.

Source: LiteRT, tflite/tools/versioning/op_version.cc and runtime_version.cc. Releases up to 2.20 are TensorFlow
Lite's numbers, which LiteRT goes on from.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgec.backends.base import Instr

_VERSIONS = {
    "FULLY_CONNECTED": 5, "TRANSPOSE_CONV": 3, "RESIZE_BILINEAR": 3,
    "RESIZE_NEAREST_NEIGHBOR": 3, "SLICE": 3, "STRIDED_SLICE": 4, "SPLIT_V": 2, "GATHER": 2,
    "DEPTHWISE_CONV_2D": 2, "BROADCAST_TO": 2,
}  # fmt: skip
"""Builtin versions above 1 that the emitted forms need."""

_SINCE = {
    "1.15": "DEQUANTIZE HARD_SWISH IF WHILE",
    "2.0": "FULLY_CONNECTED",
    "2.1": "DEPTH_TO_SPACE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND",
    "2.2": "RESIZE_BILINEAR SELECT_V2 STRIDED_SLICE",
    "2.3": "BATCH_MATMUL RESIZE_NEAREST_NEIGHBOR SPLIT_V TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM",
    "2.4": "CUMSUM",
    "2.5": "BROADCAST_TO CONV_3D",
    "2.6": "CONV_3D_TRANSPOSE",
    "2.9": "DYNAMIC_UPDATE_SLICE GELU",
    "2.10": "ATAN2 RELU_0_TO_1",
    "2.11": "SIGN",
    "2.13": "BITCAST BITWISE_XOR RIGHT_SHIFT",
    "2.15": "DILATE",
    "2.16": "STABLEHLO_GATHER",
    "2.17": "STABLEHLO_AND STABLEHLO_SHIFT_LEFT",
}
"""Builtins that are younger than TensorFlow Lite 1.14, by the release that first ran them in the emitted form."""

_TYPED = {
    ("ADD", "int64"): "2.6", ("SUB", "int64"): "2.4", ("MUL", "int64"): "2.11", ("MUL", "int16"): "2.11",
    ("GATHER", "bool"): "1.15", ("GATHER_ND", "bool"): "2.16", ("GATHER_ND", "int16"): "2.5",
    ("CAST", "float16"): "2.15", ("CAST", "float64"): "2.7", ("CAST", "int16"): "2.8", ("CAST", "uint16"): "2.9",
    ("TOPK_V2", "int16"): "2.13", ("FILL", "float16"): "2.12", ("TILE", "bool"): "2.2", ("REVERSE_V2", "bool"): "2.2",
    ("ARG_MAX", "bool"): "2.9", ("ARG_MIN", "bool"): "2.9", ("ABS", "int32"): "2.12", ("RANGE", "int64"): "2.14",
}  # fmt: skip
"""Builtins that took an element type later than float32 and int32."""

_OLDEST = "1.14"
_ABOVE_FOUR_AXES = {
    "TRANSPOSE": (5, "2.12"),
    "ADD": (4, "2.3"),
    "SUB": (4, "2.3"),
    "MUL": (4, "2.6"),
    "DIV": (4, "2.3"),
}
_BUFFERS_OUTSIDE = "2.15"
"""Buffers outside the flatbuffer's tables are younger than 2.14."""

_FIRST = {name: release for release, names in _SINCE.items() for name in names.split()}


_PLAIN = frozenset({"float32", "int32", "int64"})
_FIRST_UP_TO_RANK_4 = frozenset({"SLICE", "STRIDED_SLICE"})
"""Builtins whose first version has plain types and up to four dimensions: NNAPI's delegate takes no newer one."""


def version_of(instr: Instr) -> int:
    """The builtin's version to declare."""
    x = instr.operands()[0].type if instr.inputs else None
    if instr.op in _FIRST_UP_TO_RANK_4 and x is not None and x.dtype in _PLAIN and len(x.shape) <= 4:
        return 1
    return _VERSIONS.get(instr.op, 1)


def minimum_runtime(instrs: Iterable[Instr], *, outside: bool = False) -> str:
    """The oldest release that runs all instructions (and, with `outside`, maps buffers), as `2.9.0`."""
    needed = {_OLDEST, _BUFFERS_OUTSIDE} if outside else {_OLDEST}
    for instr in instrs:
        needed.add(_FIRST.get(instr.op, _OLDEST))
        needed.update(_TYPED.get((instr.op, v.type.dtype), _OLDEST) for v in (*instr.operands(), *instr.outputs))
        most, release = _ABOVE_FOUR_AXES.get(instr.op, (99, _OLDEST))
        if any(len(out.type.shape) > most for out in instr.outputs):
            needed.add(release)
    newest = max(needed, key=lambda release: tuple(map(int, release.split("."))))
    return f"{newest}.0"
