"""Runtimes of TFLite files: the builtins that each registers, and the first that supports a form.

Releases up to 2.20 are TensorFlow Lite's version numbers, which LiteRT continues: ai-edge-litert 1.0 is TensorFlow's
tree at 2.18, 1.4 at 2.20; what ai-edge-litert 2.0 lacks counts as 2.21. Sources: LiteRT, tflite/tools/versioning,
op_version.cc and runtime_version.cc; forms newer than 2.14 were measured with files of one operator on tflite-runtime
2.14.0 and ai-edge-litert 1.0.1, 1.4.0, 2.0.3 and 2.3.0 (the kernels reject such forms, or abort the process).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

RUNTIMES = ("2.14", "2.18", "2.20", "2.20.1", "2.21")
"""The releases of the columns of `registered.txt`."""

OLDEST = "1.14"
"""Every file needs at least this release, which has the first versions of the builtins."""
BUFFERS_OUTSIDE = "2.15"
"""Buffers outside the flatbuffer's tables are newer than 2.14."""

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
    "2.15": "DILATE REDUCE_WINDOW",
    "2.16": "STABLEHLO_GATHER STABLEHLO_ADD STABLEHLO_MAXIMUM STABLEHLO_MINIMUM STABLEHLO_MULTIPLY STABLEHLO_PAD "
    "STABLEHLO_REDUCE_WINDOW STABLEHLO_RNG_BIT_GENERATOR STABLEHLO_SCATTER STABLEHLO_COMPOSITE",
    "2.19": "STABLEHLO_AND STABLEHLO_SHIFT_LEFT STABLEHLO_CASE",
}
"""Builtins newer than TensorFlow Lite 1.14, by the first release that ran them in the emitted form."""

_TYPED = {
    ("FULLY_CONNECTED", "int8"): "2.18",
    ("DEQUANTIZE", "int8"): "2.14", ("DEQUANTIZE", "int4"): "2.18",
    ("ADD", "int64"): "2.6", ("SUB", "int64"): "2.4", ("MUL", "int64"): "2.11", ("MUL", "int16"): "2.11",
    ("GATHER", "bool"): "1.15", ("GATHER_ND", "bool"): "2.16", ("GATHER_ND", "int16"): "2.5",
    ("CAST", "float16"): "2.15", ("CAST", "float64"): "2.7", ("CAST", "int16"): "2.8", ("CAST", "uint16"): "2.9",
    ("CAST", "bfloat16"): "2.19",
    ("TOPK_V2", "int16"): "2.13", ("FILL", "float16"): "2.12", ("TILE", "bool"): "2.2", ("REVERSE_V2", "bool"): "2.2",
    ("ARG_MAX", "bool"): "2.9", ("ARG_MIN", "bool"): "2.9", ("ABS", "int32"): "2.12", ("RANGE", "int64"): "2.14",
    ("SPLIT", "int64"): "2.18", ("PAD", "bool"): "2.20.1", ("DYNAMIC_UPDATE_SLICE", "int16"): "2.19",
    **{("TILE", t): "2.21" for t in ("int16", "uint16", "uint32")},
    **{("FILL", t): "2.21" for t in ("uint8", "uint16", "uint32")},
    **{("DYNAMIC_UPDATE_SLICE", t): "2.21" for t in ("uint8", "uint16", "uint32")},
    **{(op, "uint16"): "2.21" for op in ("SLICE", "STRIDED_SLICE", "SELECT_V2", "TRANSPOSE")},
    ("TRANSPOSE", "uint32"): "2.21",
    **{(op, "int16"): "2.21" for op in ("GREATER", "LESS_EQUAL", "NOT_EQUAL")},
}  # fmt: skip
"""Builtins that supported an element type later than float32 and int32."""

ANY = ""
"""Every element type."""


@dataclass(frozen=True)
class RankLimit:
    """Builtins that support more than `most` dimensions since a release; `dtype` restricts this to one element type."""

    ops: frozenset[str]
    most: int
    release: str
    dtype: str = ANY
    but: str = ANY
    """An element type to which it does not apply."""


def _limit(ops: str, most: int, release: str, dtype: str = ANY, but: str = ANY) -> RankLimit:
    return RankLimit(frozenset(ops.split()), most, release, dtype, but)


_BROADCAST = (
    "EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL LOGICAL_AND LOGICAL_OR POW FLOOR_MOD FLOOR_DIV BITWISE_XOR "
    "RIGHT_SHIFT"
)
RANK_LIMITS = (
    _limit("ADD SUB DIV", 4, "2.3"),
    _limit("MUL", 4, "2.6"),
    _limit("TRANSPOSE", 5, "2.12"),
    _limit("ADD SUB", 6, "2.18"),
    _limit("SUB", 5, "2.18", but="float32"),
    _limit("MUL", 4, "2.18", but="float32"),
    _limit("BATCH_MATMUL PAD SLICE", 5, "2.18", dtype="float32"),
    _limit("MUL DIV MAXIMUM MINIMUM", 6, "2.21"),
    _limit("DIV MAXIMUM MINIMUM", 5, "2.21", but="float32"),
    _limit("SLICE", 5, "2.21", but="float32"),
    _limit("STRIDED_SLICE SELECT_V2", 5, "2.21"),
    _limit("SLICE TRANSPOSE", 6, "2.21"),
    _limit(_BROADCAST, 4, "2.21"),
)
"""Limits on ranks. Broadcasts above a kernel's limit abort the process in older runtimes."""

_FIRST = {name: release for release, names in _SINCE.items() for name in names.split()}


def as_numbers(release: str) -> tuple[int, ...]:
    """A release (`2.14`, `2.14.0`) as a tuple of numbers, for comparison."""
    return tuple(int(part) for part in release.split("."))


def first_runtime(op: str, dtypes: Sequence[str], rank: int) -> str:
    """The oldest release that runs a builtin on operands and results of these types, in order, of at most this rank."""
    needed = {OLDEST, _FIRST.get(op, OLDEST)}
    needed.update(_TYPED.get((op, dtype), OLDEST) for dtype in dtypes)
    data = dtypes[:1] if op in _MOVED else dtypes
    for limit in RANK_LIMITS:
        typed = any(limit.dtype in (ANY, d) and (limit.but == ANY or d != limit.but) for d in data if d != "bool")
        if op in limit.ops and rank > limit.most and (typed or limit.dtype == limit.but == ANY):
            needed.add(limit.release)
    return max(needed, key=as_numbers)


_MOVED = frozenset("PAD SLICE STRIDED_SLICE TRANSPOSE".split())
"""Builtins whose first operand is the data, and whose others are indices of another type."""


@cache
def registered() -> Mapping[str, tuple[int, ...]]:
    """The newest version of each builtin for each of `RUNTIMES`; 0 if a runtime lacks it."""
    found = {}
    for line in (Path(__file__).parent / "registered.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, *versions = line.split()
            found[name] = tuple(0 if v == "-" else int(v) for v in versions)
    return found


MEASURED_TYPES = frozenset("bool float32 int8 int16 int32 int64 uint8 uint16 uint32".split())
"""The element types that `element_types` covers."""


@cache
def element_types() -> Mapping[str, frozenset[str]]:
    """The unquantized element types that builtins' kernels support on the newest runtime."""
    lines = (Path(__file__).parent / "element_types.txt").read_text(encoding="utf-8").splitlines()
    return {name: frozenset(types) for name, *types in (line.split() for line in lines if not line.startswith("#"))}
