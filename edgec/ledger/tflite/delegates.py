"""Operators and conditions that XNNPACK, the GPU delegate, NNAPI and Qualcomm's NPU support, each with its source."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgec.ledger.tflite.uses import Use, Value

OPERATOR, SIZES = "operator", "sizes"
"""Conditions: the delegate has the operator (all delegates), and no size depends on data (most)."""


@dataclass(frozen=True)
class Delegate:
    """A delegate: its unit, its operators, their conditions, and the source.

    `refuses` returns the condition that an operator violates, a key of `conditions`, which describe the requirements.
    `resizes`: it runs the static part of a graph with data-dependent sizes; LiteRT gives such a graph to no other.
    """

    unit: str
    ops: frozenset[str]
    refuses: Callable[[Use], str]
    conditions: tuple[tuple[str, str], ...]
    evidence: str
    resizes: bool = False

    def unmet(self, use: Use) -> str:
        """The condition that the operator violates; empty if the delegate runs it."""
        return self.refuses(use) if use.op in self.ops else OPERATOR

    def rule(self, use: Use) -> str:
        """The violated condition as a rule's name, which includes an operator that the delegate lacks."""
        unmet = self.unmet(use)
        if unmet == OPERATOR:
            return f"{self.unit}-no-{use.op.lower().replace('_', '-')}"
        return f"{self.unit}-{unmet}" if unmet else ""


def sized_by_data(uses: Iterable[Use]) -> list[str]:
    """The operators whose results have data-dependent sizes."""
    return sorted({use.op for use in uses if use.op == "WHERE" or use.computes(*_SIZES)})


_SIZES = ("shape", "size", "k", "dims", "begin", "end", "multiples", "limit")
_PARAMETERS = ("weights", "bias", "perm", "paddings", *_SIZES)
_EIGHT_BITS = frozenset({"int8", "uint8"})


def _quantized(values: Iterable[Value]) -> bool:
    """Whether all are quantized to 8 bits."""
    return all(v.dtype in _EIGHT_BITS and v.is_quantized for v in values)


_STORED = frozenset({"float16", "int8"})


def _is_stored_narrow(use: Use) -> bool:
    """Whether it dequantizes a weight stored in fewer bits, which the delegate does itself."""
    return use.op == "DEQUANTIZE" and not use.data and use.operands[0][1].dtype in _STORED


_XNNPACK = frozenset(
    """
    ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CEIL CONCATENATION CONV_2D COS DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV
    ELU EXP FLOOR FULLY_CONNECTED GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG PAD
    PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR ROUND RSQRT SIN SLICE SOFTMAX
    SPACE_TO_DEPTH SPLIT SQRT SQUARED_DIFFERENCE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV
    """.split()
)
_MOST_JOINED = 5
"""XNNPACK's delegate concatenates 2 to 5 tensors."""


_XNNPACK_QUANTIZED = frozenset(
    """
    ADD CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE ELU FULLY_CONNECTED LEAKY_RELU LOGISTIC MAX_POOL_2D MEAN
    MUL PAD RESHAPE RESIZE_BILINEAR SLICE SPACE_TO_DEPTH SPLIT SUB TANH TRANSPOSE TRANSPOSE_CONV
    """.split()
)
"""Operators that it also supports in 8 bits (README, Quantized Operators)."""


def _xnnpack(use: Use) -> str:
    fixed = (
        ("filter", "bias") if "CONV" in use.op else ("weights", "bias", "shape", "begin", "size", "perm", "paddings")
    )
    if use.computes(*fixed):
        return "static-parameters"
    values = (*use.data, *use.results)
    if use.op in ("QUANTIZE", "DEQUANTIZE"):
        return "" if _is_stored_narrow(use) or any(map(_quantized, ([v] for v in values))) else "float32-alone"
    if any(v.dtype != "float32" for v in values) and not (use.op in _XNNPACK_QUANTIZED and _quantized(values)):
        return "float32-alone"
    if use.op == "CONCATENATION" and len(use.operands) > _MOST_JOINED:
        return "concatenates-five"
    if any(isinstance(d, str) for v in values for d in v.shape) and use.op == "RESHAPE":
        return "static-parameters"
    return ""


_GPU = frozenset(
    """
    ABS ADD ADD_N AVERAGE_POOL_2D BATCH_MATMUL CAST CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE
    DEQUANTIZE DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER GREATER_EQUAL HARD_SWISH
    LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL
    ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_N1_TO_1 RESHAPE
    RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SELECT SELECT_V2 SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SPLIT_V
    SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE TRANSPOSE_CONV UNPACK
    """.split()
)
_COMPARISONS = frozenset("EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL".split())
_GPU_TAKES = {"CAST": {"bool", "int32"}, "SELECT": {"bool"}, "SELECT_V2": {"bool"}, "LOGICAL_AND": {"bool"},
              "GATHER": {"int32"}, "ONE_HOT": {"int32"}}  # fmt: skip
"""Element types beyond float that an operator supports (GetOpsToReplace)."""
_GPU_GIVES = {"CAST": {"bool", "int32"}, "LOGICAL_AND": {"bool"}, **{op: {"bool"} for op in _COMPARISONS}}


def _gpu(use: Use) -> str:
    """8-bit quantized values are computed as floats."""
    if use.computes("shape", "size", "begin", "end", "multiples", "perm", "paddings"):
        return "static-parameters"
    if any(not _gpu_number(v) and v.dtype not in _GPU_TAKES.get(use.op, ()) for v in use.data):
        return "float-alone"
    if any(not _gpu_number(v) and v.dtype not in _GPU_GIVES.get(use.op, ()) for v in use.results):
        return "float-alone"
    if use.rank > 4:
        return "four-dimensions"
    return _gpu_shapes(use)


def _gpu_number(value: Value) -> bool:
    return value.dtype in ("float32", "float16") or _quantized([value])


def _gpu_shapes(use: Use) -> str:
    """The shape requirements of CheckGpuDelegateCompatibility."""
    shapes = [v.shape for _, v in use.operands]
    if use.op in ("SLICE", "STRIDED_SLICE", "PAD", "PADV2", "MIRROR_PAD") and len(shapes[0]) not in (3, 4):
        return "three-or-four-dimensions"
    if use.op == "GATHER" and len(shapes[1]) != 1:
        return "gathers-by-a-vector"
    if use.op in ("SELECT", "SELECT_V2"):
        out = use.results[0].shape
        if any(shape != out and (len(shape) > 1 or shape not in ((), (1,))) for shape in shapes[1:]):
            return "selects-without-broadcast"
    return ""


_NNAPI = frozenset(
    """
    ABS ADD ARG_MAX ARG_MIN AVERAGE_POOL_2D CAST CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DIV ELU EQUAL
    EXP FILL FLOOR FULLY_CONNECTED GATHER GREATER GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND
    LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG NOT_EQUAL PACK PAD PADV2 POW
    PRELU REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR
    RSQRT SELECT SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TILE
    TOPK_V2 TRANSPOSE TRANSPOSE_CONV
    """.split()
)
_NNAPI_INTEGERS = frozenset(
    """
    ADD ARG_MAX ARG_MIN CAST FILL GATHER MAXIMUM MINIMUM MUL NEG PACK SELECT SLICE SPLIT SPLIT_V SQUARED_DIFFERENCE SUB
    TILE TOPK_V2 TRANSPOSE STRIDED_SLICE
    """.split()
) | _COMPARISONS  # fmt: skip
_NNAPI_TRUTHS = _COMPARISONS | {"LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "SELECT"}
_NNAPI_NEWEST = {"SLICE": 2, "STRIDED_SLICE": 2}
"""The newest version of a builtin that Validate accepts, for builtins that edgec may emit in a newer one."""


def _nnapi(use: Use) -> str:
    if use.computes(*_PARAMETERS) and "CONV" not in use.op and use.op != "FULLY_CONNECTED":
        return "static-parameters"
    allowed = {"float32"}
    allowed |= {"int32"} if use.op in _NNAPI_INTEGERS else set()
    allowed |= {"bool"} if use.op in _NNAPI_TRUTHS else set()
    kinds = {v.dtype for v in (*use.data, *use.results) if not _quantized([v])}
    if "int64" in kinds:
        return "no-64-bit"
    if not kinds <= allowed:
        return "element-types"
    if use.rank > 4:
        return "four-dimensions"
    if use.version > _NNAPI_NEWEST.get(use.op, 99):
        return "newer-version"
    if use.op in ("MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN") and not use.results[0].shape:
        return "scalar-result"
    return ""


_QNN = frozenset(
    """
    ABS ADD ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL BROADCAST_TO CAST CEIL CONCATENATION CONV_2D CONV_3D COS CUMSUM
    DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP FLOOR FLOOR_DIV
    FULLY_CONNECTED GATHER GATHER_ND GELU GREATER GREATER_EQUAL HARD_SWISH L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS
    LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG
    NOT_EQUAL PACK PAD PADV2 POW PRELU QUANTIZE REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_0_TO_1
    RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT SELECT_V2 SIGN SIN SLICE
    SOFTMAX SPACE_TO_DEPTH SPLIT SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TILE TOPK_V2 TRANSPOSE
    TRANSPOSE_CONV UNPACK
    """.split()
)


def _qnn(use: Use) -> str:
    """Its documentation names no condition except that parameters are known when it compiles."""
    fixed = ("shape", "size", "begin", "end", "perm", "paddings", "multiples", "k")
    return "static-parameters" if use.computes(*fixed) else ""


_STATIC = ("static-parameters", "shapes, paddings, weights and other parameters are constants")
_SIZED = (SIZES, "no result has a data-dependent size")
_FOUR = ("four-dimensions", "a tensor has at most 4 dimensions")


def _has(unit: str) -> tuple[str, str]:
    return OPERATOR, f"{unit} has the operator"


DELEGATES = (
    Delegate(
        "xnnpack",
        _XNNPACK,
        _xnnpack,
        (
            _has("XNNPACK"),
            ("float32-alone", "data are float32, or 8-bit quantized if the operator supports that"),
            ("concatenates-five", f"at most {_MOST_JOINED} tensors are concatenated"),
            _STATIC,
        ),
        "LiteRT, tflite/delegates/xnnpack/README.md, and files of one operator on the delegate of LiteRT 2.3",
        resizes=True,
    ),
    Delegate(
        "gpu",
        _GPU,
        _gpu,
        (
            _has("the GPU delegate"),
            ("float-alone", "data are floats or 8-bit quantized; few operators support other types"),
            _FOUR,
            _STATIC,
            ("three-or-four-dimensions", "data that are sliced or padded have 3 or 4 dimensions"),
            ("gathers-by-a-vector", "the indices of GATHER are a vector"),
            ("selects-without-broadcast", "both operands of a select have the result's shape or are scalars"),
            _SIZED,
        ),
        "LiteRT, tflite/delegates/gpu/common/model_builder.cc (NewOperationParser, GetOpsToReplace) and "
        "tflite/tools/versioning/gpu_compatibility.cc; by default it runs only the largest partition",
    ),
    Delegate(
        "nnapi",
        _NNAPI,
        _nnapi,
        (
            _has("NNAPI"),
            ("no-64-bit", "nothing is int64"),
            ("element-types", "data are float32 or 8-bit quantized; some operators support int32 or bool"),
            _FOUR,
            ("newer-version", "the builtin's version is known to Validate"),
            _STATIC,
            ("scalar-result", "the result of a reduction has at least one dimension"),
            _SIZED,
        ),
        "TensorFlow Lite, delegates/nnapi/nnapi_delegate.cc (NNAPIDelegateKernel::Validate) for Android 11; Android 15 "
        "deprecates NNAPI",
    ),
    Delegate(
        "qnn",
        _QNN,
        _qnn,
        (_has("Qualcomm's NPU"), _STATIC, _SIZED),
        "LiteRT, litert/vendors/qualcomm/compiler/Qualcomm_QNN_Compiler.md, Supported Operations: what LiteRT's "
        "compiler gives to Qualcomm's NPU (HTP)",
    ),
)
UNITS = tuple(delegate.unit for delegate in DELEGATES)
"""Names of the delegates."""
