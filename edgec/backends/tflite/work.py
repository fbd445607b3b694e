"""The work of TFLite instructions, for latency predictors."""

from __future__ import annotations

import math

from edgec.backends.base import Instr
from edgec.backends.tflite.cost import macs
from edgec.backends.traffic import counted
from edgec.backends.work import Kind, Window, Work, kind_of

_KINDS = {
    Kind.CONV: "CONV_2D DEPTHWISE_CONV_2D CONV_3D",
    Kind.TRANSPOSED: "TRANSPOSE_CONV CONV_3D_TRANSPOSE",
    Kind.LINEAR: "FULLY_CONNECTED",
    Kind.MATMUL: "BATCH_MATMUL",
    Kind.BINARY: "ADD SUB MUL MAXIMUM MINIMUM SQUARED_DIFFERENCE SELECT SELECT_V2 PRELU ADD_N",
    Kind.UNARY: "RELU RELU6 RELU_N1_TO_1 LEAKY_RELU NEG ABS SQUARE HARD_SWISH FLOOR CEIL ROUND SIGN CAST QUANTIZE "
    "DEQUANTIZE",
    Kind.MATH: "LOGISTIC GELU TANH EXP LOG SQRT RSQRT DIV SIN COS POW ELU FLOOR_DIV FLOOR_MOD ATAN2",
    Kind.SOFTMAX: "SOFTMAX LOG_SOFTMAX",
    Kind.NORM: "L2_NORMALIZATION LOCAL_RESPONSE_NORMALIZATION",
    Kind.REDUCE: "MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD REDUCE_ANY REDUCE_ALL CUMSUM ARG_MAX ARG_MIN",
    Kind.POOL: "MAX_POOL_2D AVERAGE_POOL_2D L2_POOL_2D",
    Kind.TRANSPOSE: "TRANSPOSE DEPTH_TO_SPACE SPACE_TO_DEPTH REVERSE_V2 SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND",
    Kind.COPY: "CONCATENATION SPLIT SPLIT_V SLICE STRIDED_SLICE PAD PADV2 MIRROR_PAD PACK UNPACK TILE BROADCAST_TO "
    "DYNAMIC_UPDATE_SLICE",
    Kind.VIEW: "RESHAPE SQUEEZE EXPAND_DIMS BITCAST",
    Kind.GATHER: "GATHER GATHER_ND SCATTER_ND EMBEDDING_LOOKUP TOPK_V2 ONE_HOT WHERE UNIQUE",
    Kind.RESIZE: "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR",
    Kind.RECURRENT: "UNIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_RNN BIDIRECTIONAL_SEQUENCE_LSTM WHILE IF",
    Kind.INTEGER: "LESS LESS_EQUAL GREATER GREATER_EQUAL EQUAL NOT_EQUAL LOGICAL_AND LOGICAL_OR LOGICAL_NOT SHAPE "
    "RANGE FILL RIGHT_SHIFT BITWISE_XOR",
}


def work_of(instr: Instr) -> Work:
    """The kind, the counts and the window of an instruction."""
    return counted(instr, kind_of(_KINDS, instr.op), macs(instr), _window(instr))


def _window(instr: Instr) -> Window | None:
    types = {name: v.type.sizes for name, v in instr.inputs if v is not None and not isinstance(v, tuple)}
    match instr.op:
        case "CONV_2D":
            out, *kernel, depth = types["filter"]
            groups = types["input"][-1] // max(depth, 1)
            return Window(out // groups, depth, math.prod(kernel), groups)
        case "DEPTHWISE_CONV_2D":
            _, *kernel, out = types["filter"]
            groups = types["input"][-1]
            return Window(max(out // groups, 1), 1, math.prod(kernel), groups)
        case "CONV_3D":
            *kernel, depth, out = types["filter"]
            return Window(out, depth, math.prod(kernel), 1, 3)
        case "TRANSPOSE_CONV":
            out, *kernel, depth = types["filter"]
            return Window(out, depth, math.prod(kernel))
        case "FULLY_CONNECTED":
            out, depth = types["weights"]
            return Window(out, depth, space=0)
        case "BATCH_MATMUL":
            return Window(instr.outputs[0].type.sizes[-1], types["a"][-1], space=0)
        case _:
            return None
