"""Rows about operators: builtins and versions that runtimes register, the types and ranks of kernels, options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgec.diag import Severity
from edgec.ledger.row import Breach, Row
from edgec.ledger.tflite.file import Operator, TFLiteFile, is_quantized, listed
from edgec.ledger.tflite.runtimes import (
    BUFFERS_OUTSIDE,
    MEASURED_TYPES,
    RUNTIMES,
    as_numbers,
    element_types,
    first_runtime,
    registered,
)

_REGISTER = "LiteRT, tflite/core/kernels/register.cc (measured, edgec/ledger/tflite/registered.txt)"
_MEASURED = "files of one operator on each runtime (edgec/ledger/tflite/runtimes.py)"
_MINIMUM = "min_runtime_version"
_LARGEST_DEPRECATED = 127


def _builtins(file: TFLiteFile) -> Iterator[Breach]:
    for op in file.operators:
        if op.name not in _RUN:
            yield Breach(op.where, "no runtime has it")


def _versions(file: TFLiteFile) -> Iterator[Breach]:
    for op in file.operators:
        newest = registered().get(op.name, (0,))[-1]
        oldest = _OLDEST_VERSION.get(op.name, 1)
        if newest and not oldest <= op.version <= newest:
            yield Breach(op.where, f"version {op.version}, the newest runtime has {oldest} to {newest}")


_OLDEST_VERSION = {"BROADCAST_TO": 2}
"""Builtins whose first version was withdrawn."""
_RUN = frozenset({*registered(), "CUSTOM", "DELEGATE"})


def _deprecated(file: TFLiteFile) -> Iterator[Breach]:
    for i, code in enumerate(file.model.operatorCodes or ()):
        wanted = min(code.builtinCode, _LARGEST_DEPRECATED)
        if code.builtinCode and code.deprecatedBuiltinCode != wanted:
            yield Breach(f"operator code {i}", f"builtin {code.builtinCode}, deprecated {code.deprecatedBuiltinCode}")


def _floor(file: TFLiteFile) -> str:
    """The oldest runtime on which the file runs, as declared in its metadata."""
    content = file.metadata(_MINIMUM)
    told = "" if content is None else content.split(b"\0")[0].decode(errors="replace")
    return told if all(part.isdigit() for part in told.split(".")) and told else ""


def _needed(file: TFLiteFile, op: Operator) -> str:
    tensors = op.tensors(op.table.inputs) + op.tensors(op.table.outputs)
    rank = max((len(listed(t.shape)) for t in tensors), default=0)
    return first_runtime(op.name, [file.dtype(t).lower() for t in tensors], rank)


def _promised(file: TFLiteFile) -> Iterator[Breach]:
    floor = _floor(file)
    if not floor:
        return
    promised = max(floor, RUNTIMES[0], key=as_numbers)
    for op in file.operators:
        needed = _needed(file, op)
        if as_numbers(needed) > as_numbers(promised):
            yield Breach(op.where, f"it needs {needed}, the file declares {floor}")
    if any(b.offset > 1 for b in file.model.buffers or ()) and as_numbers(floor) < as_numbers(BUFFERS_OUTSIDE):
        yield Breach("buffers outside the tables", f"they need {BUFFERS_OUTSIDE}, the file declares {floor}")


def _options(file: TFLiteFile) -> Iterator[Breach]:
    kinds = {v: k for k, v in vars(file.schema.BuiltinOptions).items() if isinstance(v, int)}
    for op in file.operators:
        wanted, found = _OPTIONS.get(op.name), kinds.get(op.table.builtinOptionsType, "NONE")
        if wanted is not None and found not in ("NONE", wanted):
            yield Breach(op.where, f"its options are {found}, not {wanted}")
        elif wanted in _NEEDED and found == "NONE":
            yield Breach(op.where, f"its options are missing: {wanted}")


_OPTIONS = {
    "ADD": "AddOptions", "ARG_MAX": "ArgMaxOptions", "ARG_MIN": "ArgMinOptions", "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions", "CAST": "CastOptions", "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions", "CONV_3D": "Conv3DOptions", "CUMSUM": "CumsumOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions", "DEPTH_TO_SPACE": "DepthToSpaceOptions", "DIV": "DivOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions", "GATHER": "GatherOptions", "GELU": "GeluOptions", "IF": "IfOptions",
    "LEAKY_RELU": "LeakyReluOptions", "MAX_POOL_2D": "Pool2DOptions", "MEAN": "ReducerOptions",
    "MIRROR_PAD": "MirrorPadOptions", "MUL": "MulOptions", "ONE_HOT": "OneHotOptions", "PACK": "PackOptions",
    "REDUCE_MAX": "ReducerOptions", "RESHAPE": "ReshapeOptions", "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions", "SOFTMAX": "SoftmaxOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions", "SPLIT": "SplitOptions", "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions", "SUB": "SubOptions", "SUM": "ReducerOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions", "UNPACK": "UnpackOptions", "WHILE": "WhileOptions",
}  # fmt: skip
"""The options table that a builtin's kernel reads."""
_NEEDED = frozenset(
    "Conv2DOptions DepthwiseConv2DOptions Pool2DOptions ConcatenationOptions SoftmaxOptions IfOptions WhileOptions "
    "SplitOptions TransposeConvOptions Conv3DOptions".split()
)
"""Options whose defaults are meaningless to the kernel: a stride of 0, a beta of 0."""


def _ranks(file: TFLiteFile) -> Iterator[Breach]:
    for op in file.operators:
        allowed = _RANKS.get(op.name)
        tensors = op.tensors(op.table.inputs)
        if allowed is None or len(tensors) <= allowed.position:
            continue
        tensor = tensors[allowed.position]
        rank, is_told = len(listed(tensor.shape)), bool(listed(tensor.shape)) or tensor.hasRank
        if allowed.of_floats and file.dtype(tensor) != "FLOAT32":
            continue
        if is_told and not allowed.least <= rank <= allowed.most:
            yield Breach(
                op.where, f"its data have {rank} dimensions, the kernel supports {allowed.least} to {allowed.most}"
            )


@dataclass(frozen=True)
class Ranks:
    """The index of the data input, its smallest and largest rank, and whether this applies to floats only."""

    position: int
    least: int
    most: int
    of_floats: bool = False


_IMAGES = (
    "CONV_2D DEPTHWISE_CONV_2D AVERAGE_POOL_2D MAX_POOL_2D RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR DEPTH_TO_SPACE "
    "SPACE_TO_DEPTH"
)
_RANKS = {
    **dict.fromkeys(_IMAGES.split(), Ranks(0, 4, 4)),
    "TRANSPOSE_CONV": Ranks(2, 4, 4),
    "CONV_3D": Ranks(0, 5, 5),
    "SLICE": Ranks(0, 1, 8),
    "PAD": Ranks(0, 0, 6),
    "BATCH_MATMUL": Ranks(0, 2, 6),
    **dict.fromkeys(("SUM", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "SOFTMAX"), Ranks(0, 0, 6, of_floats=True)),
    "SPLIT": Ranks(1, 0, 6, of_floats=True),
}
"""The ranks that kernels support; for floats, those for which XNNPACK does not reject the whole file."""


def _arity(file: TFLiteFile) -> Iterator[Breach]:
    for op in file.operators:
        wanted = _INPUTS.get(op.name)
        found = len(listed(op.table.inputs))
        if wanted is not None and not wanted[0] <= found <= wanted[1]:
            yield Breach(op.where, f"{found} inputs, the kernel needs {wanted[0]} to {wanted[1]}")


_INPUTS = {
    **dict.fromkeys("ADD SUB MUL DIV MAXIMUM MINIMUM POW EQUAL LESS GREATER BATCH_MATMUL".split(), (2, 2)),
    **dict.fromkeys("GATHER_ND TRANSPOSE".split(), (2, 2)),
    **dict.fromkeys("RELU RELU6 TANH LOGISTIC EXP SQRT RSQRT ABS NEG SOFTMAX CAST GELU".split(), (1, 1)),
    **dict.fromkeys("CONV_2D DEPTHWISE_CONV_2D CONV_3D FULLY_CONNECTED".split(), (2, 3)),
    **dict.fromkeys("SLICE SELECT SELECT_V2 SCATTER_ND".split(), (3, 3)),
    "TRANSPOSE_CONV": (3, 4), "STRIDED_SLICE": (4, 4), "GATHER": (2, 2), "RESHAPE": (1, 2),
}  # fmt: skip


def _kernel_types(file: TFLiteFile) -> Iterator[Breach]:
    for op in file.operators:
        tensors = op.tensors(op.table.inputs)
        for position, allowed, measured in _takes(op.name):
            if len(tensors) <= position:
                continue
            tensor, dtype = tensors[position], file.dtype(tensors[position]).lower()
            is_judged = not measured or (dtype in MEASURED_TYPES and not is_quantized(tensor))
            if is_judged and dtype not in allowed:
                yield Breach(op.where, f"{dtype}, the kernel supports {', '.join(sorted(allowed))}")


def _takes(name: str) -> Iterator[tuple[int, frozenset[str], bool]]:
    """Inputs of a builtin with their supported types, and whether these were measured without quantization only."""
    if name in _TYPES:
        position, allowed = _TYPES[name]
        yield position, frozenset(t.lower() for t in allowed), False
    if name in element_types():
        yield _DATA.get(name, 0), element_types()[name], True


_DATA = {"SELECT_V2": 1, "SCATTER_ND": 1, "FILL": 1, "SPLIT": 1}
"""The index of the data input, if it is not the first."""
_QUANTIZED = frozenset({"FLOAT32", "INT8", "UINT8", "INT16"})
_TYPES = {
    **dict.fromkeys("CONV_2D DEPTHWISE_CONV_2D AVERAGE_POOL_2D MAX_POOL_2D".split(), (0, _QUANTIZED | {"FLOAT16"})),
    **dict.fromkeys("SOFTMAX TANH LOGISTIC".split(), (0, _QUANTIZED | {"FLOAT16", "BFLOAT16"})),
    **dict.fromkeys("LOGICAL_AND LOGICAL_OR LOGICAL_NOT".split(), (0, frozenset({"BOOL"}))),
    **dict.fromkeys("SELECT SELECT_V2".split(), (0, frozenset({"BOOL"}))),
    "GATHER": (1, frozenset({"INT16", "INT32", "INT64"})),
    "GATHER_ND": (1, frozenset({"INT16", "INT32", "INT64"})),
    "TRANSPOSE": (1, frozenset({"INT32", "INT64"})),
    "RESHAPE": (1, frozenset({"INT32", "INT64"})),
}  # fmt: skip
"""The input whose type a kernel checks, and the types that it supports."""


def _flex(file: TFLiteFile) -> Iterator[Breach]:
    for i, code in enumerate(file.model.operatorCodes or ()):
        name = (code.customCode or b"").decode(errors="replace") if code.customCode else ""
        if name.startswith("Flex"):
            yield Breach(f"operator code {i}", f"`{name}`")


ROWS: tuple[Row[TFLiteFile], ...] = (
    Row(
        "builtin-known",
        "a runtime has the builtin",
        "the runtime",
        f"{_REGISTER}: Op builtin_code out of range",
        _builtins,
    ),
    Row(
        "builtin-version",
        "a runtime has this version of the builtin",
        "the runtime",
        f"{_REGISTER}: Didn't find op for builtin opcode",
        _versions,
    ),
    Row(
        "builtin-deprecated",
        "the deprecated field contains the builtin's number, or 127 for a larger one",
        "the runtime",
        "LiteRT, tflite/schema/schema_utils.cc: readers older than 2.4 know only the deprecated field",
        _deprecated,
        "before 2.4",
        Severity.WARNING,
    ),
    Row(
        "runtime-promised",
        "the runtime that the file declares has every operator",
        "the runtime",
        f"metadata {_MINIMUM}; {_MEASURED}",
        _promised,
        f"from {RUNTIMES[0]} on",
        Severity.WARNING,
    ),
    Row(
        "options-kind",
        "an operator has its builtin's options",
        "the runtime",
        "LiteRT, tflite/core/api/flatbuffer_conversions.cc",
        _options,
    ),
    Row(
        "kernel-rank",
        "an operator's data have a rank that its kernel supports",
        "the runtime",
        f"LiteRT, tflite/kernels, Prepare; {_MEASURED}",
        _ranks,
    ),
    Row(
        "kernel-inputs",
        "an operator has as many inputs as its kernel needs",
        "the runtime",
        "LiteRT, tflite/kernels, Prepare: NumInputs",
        _arity,
    ),
    Row(
        "kernel-type",
        "an operator's data have a type that its kernel supports",
        "the runtime",
        "LiteRT, tflite/kernels, Prepare: type not supported (measured, edgec/ledger/tflite/element_types.txt)",
        _kernel_types,
    ),
    Row(
        "flex",
        "no operator is a Select TensorFlow operator",
        "the runtime",
        "LiteRT, tflite/core/subgraph.cc: Select TensorFlow op(s) are not supported by this interpreter",
        _flex,
        severity=Severity.WARNING,
    ),
)
