"""What XNNPACK, the GPU delegate, NNAPI and Qualcomm's NPU take: operators and conditions, each with its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgec.backends.base import Argument, Instr, Program, Ref
from edgec.backends.tflite.versions import version_of


@dataclass(frozen=True)
class Delegate:
    """A delegate: the unit it stands for, its operators, what else keeps an instruction from it, and the source.

    `resizes`: it takes what is static of a graph in which the data decide sizes; LiteRT gives such a graph to no other.
    """

    unit: str
    ops: frozenset[str]
    refuses: Callable[[Instr], str | None]
    evidence: str
    resizes: bool = False

    def rule(self, instr: Instr) -> str:
        """The rule that keeps the instruction off this delegate; empty where it is taken."""
        if instr.op not in self.ops:
            return f"{self.unit}-no-{instr.op.lower().replace('_', '-')}"
        reason = self.refuses(instr)
        return f"{self.unit}-{reason}" if reason else ""


def sized_by_data(program: Program) -> list[str]:
    """The operators of a program that give results whose size only the data decide."""
    return sorted({i.op for i in program.every_instr() if i.op == "WHERE" or _is_computed(i, _SIZES)})


_SIZES = ("shape", "size", "k", "dims", "begin", "end", "multiples", "limit")
_PARAMETERS = ("weights", "bias", "perm", "paddings", *_SIZES)


def _is_computed(instr: Instr, names: tuple[str, ...]) -> bool:
    return any(_is_runtime(instr.input(name)) for name in names)


def _is_runtime(argument: Argument) -> bool:
    return isinstance(argument, Ref)


def _data(instr: Instr) -> list[Ref]:
    """What the program computes, as far as the instruction takes it."""
    return [v for v in instr.operands() if isinstance(v, Ref)]


def _rank(instr: Instr) -> int:
    return max(len(v.type.shape) for v in (*instr.operands(), *instr.outputs))


_XNNPACK = frozenset(
    """
    ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CEIL CONCATENATION CONV_2D COS DEPTHWISE_CONV_2D DEPTH_TO_SPACE DIV ELU EXP
    FLOOR FULLY_CONNECTED GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG PAD PRELU
    REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR ROUND RSQRT SIN SLICE SOFTMAX SPACE_TO_DEPTH
    SPLIT SQRT SQUARED_DIFFERENCE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV
    """.split()
)
_MOST_JOINED = 5
"""XNNPACK's delegate concatenates two to five tensors."""


def _xnnpack(instr: Instr) -> str | None:
    data = _data(instr)
    if any(v.type.dtype != "float32" for v in (*data, *instr.outputs)):
        return "float32-alone"
    if instr.op == "CONCATENATION" and len(instr.operands()) > _MOST_JOINED:
        return "concatenates-five"
    fixed = (
        ("filter", "bias") if "CONV" in instr.op else ("weights", "bias", "shape", "begin", "size", "perm", "paddings")
    )
    if _is_computed(instr, fixed):
        return "static-parameters"
    if any(isinstance(d, str) for v in (*data, *instr.outputs) for d in v.type.shape) and instr.op == "RESHAPE":
        return "static-parameters"
    return None


_GPU = frozenset(
    """
    ABS ADD ADD_N AVERAGE_POOL_2D BATCH_MATMUL CAST CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE
    DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER GREATER_EQUAL HARD_SWISH LEAKY_RELU
    LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK
    PAD PADV2 POW PRELU REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR
    RESIZE_NEAREST_NEIGHBOR RSQRT SELECT SELECT_V2 SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE
    SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE TRANSPOSE_CONV UNPACK
    """.split()
)
_COMPARISONS = frozenset("EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL".split())
_GPU_TAKES = {"CAST": {"bool", "int32"}, "SELECT": {"bool"}, "SELECT_V2": {"bool"}, "LOGICAL_AND": {"bool"},
              "GATHER": {"int32"}, "ONE_HOT": {"int32"}}  # fmt: skip
"""Element types beside float that an operator takes (GetOpsToReplace)."""
_GPU_GIVES = {"CAST": {"bool", "int32"}, "LOGICAL_AND": {"bool"}, **{op: {"bool"} for op in _COMPARISONS}}


def _gpu(instr: Instr) -> str | None:
    floats = {"float32", "float16"}
    if any(v.type.dtype not in floats | _GPU_TAKES.get(instr.op, set()) for v in _data(instr)):
        return "float-alone"
    if any(v.type.dtype not in floats | _GPU_GIVES.get(instr.op, set()) for v in instr.outputs):
        return "float-alone"
    if _rank(instr) > 4:
        return "four-dimensions"
    if _is_computed(instr, ("shape", "size", "begin", "end", "multiples", "perm", "paddings")):
        return "static-parameters"
    return _gpu_shapes(instr)


def _gpu_shapes(instr: Instr) -> str | None:
    """What CheckGpuDelegateCompatibility wants of shapes."""
    shapes = [v.type.shape for v in instr.operands()]
    if instr.op in ("SLICE", "STRIDED_SLICE", "PAD", "PADV2", "MIRROR_PAD") and len(shapes[0]) not in (3, 4):
        return "three-or-four-dimensions"
    if instr.op == "GATHER" and len(shapes[1]) != 1:
        return "gathers-by-a-vector"
    if instr.op in ("SELECT", "SELECT_V2"):
        out = instr.outputs[0].type.shape
        if any(shape != out and (len(shape) > 1 or shape not in ((), (1,))) for shape in shapes[1:]):
            return "selects-without-broadcast"
    return None


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
"""The newest version of a builtin that Validate lets pass, where the emitted one may be newer."""


def _nnapi(instr: Instr) -> str | None:
    allowed = {"float32"}
    allowed |= {"int32"} if instr.op in _NNAPI_INTEGERS else set()
    allowed |= {"bool"} if instr.op in _NNAPI_TRUTHS else set()
    kinds = {v.type.dtype for v in (*_data(instr), *instr.outputs)}
    if "int64" in kinds:
        return "no-64-bit"
    if not kinds <= allowed:
        return f"no-{min(kinds - allowed)}"
    if _rank(instr) > 4:
        return "four-dimensions"
    if version_of(instr) > _NNAPI_NEWEST.get(instr.op, 99):
        return "newer-version"
    if _is_computed(instr, _PARAMETERS) and "CONV" not in instr.op and instr.op != "FULLY_CONNECTED":
        return "static-parameters"
    if instr.op in ("MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN") and not instr.outputs[0].type.shape:
        return "scalar-result"
    return None


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


def _qnn(instr: Instr) -> str | None:
    """Its list names no condition but that parameters are there when it compiles."""
    fixed = ("shape", "size", "begin", "end", "perm", "paddings", "multiples", "k")
    return "static-parameters" if _is_computed(instr, fixed) else None


DELEGATES = (
    Delegate(
        "xnnpack", _XNNPACK, _xnnpack, "as LiteRT 2.3's delegate was seen to take them, one operator at a time", True
    ),
    Delegate(
        "gpu",
        _GPU,
        _gpu,
        "LiteRT, tflite/delegates/gpu/common/model_builder.cc (NewOperationParser, GetOpsToReplace) and "
        "tflite/tools/versioning/gpu_compatibility.cc; unless asked for more it takes the largest partition alone",
    ),
    Delegate(
        "nnapi",
        _NNAPI,
        _nnapi,
        "TensorFlow Lite, delegates/nnapi/nnapi_delegate.cc (NNAPIDelegateKernel::Validate) for Android 11; Android 15 "
        "deprecates NNAPI",
    ),
    Delegate(
        "qnn",
        _QNN,
        _qnn,
        "LiteRT, litert/vendors/qualcomm/compiler/Qualcomm_QNN_Compiler.md, Supported Operations: what Qualcomm's NPU "
        "(HTP) is given by LiteRT's compiler",
    ),
)
