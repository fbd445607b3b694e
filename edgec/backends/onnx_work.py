"""The work of ONNX instructions, for latency predictors of backends whose vendor runs ONNX."""

from __future__ import annotations

import math

from edgec.backends.base import Instr
from edgec.backends.onnx_cost import macs
from edgec.backends.traffic import counted
from edgec.backends.work import Kind, Window, Work, kind_of

_KINDS = {
    Kind.CONV: "Conv",
    Kind.TRANSPOSED: "ConvTranspose",
    Kind.LINEAR: "Gemm",
    Kind.MATMUL: "MatMul Einsum Attention",
    Kind.BINARY: "Add Sub Mul Max Min Where PRelu Sum Mean",
    Kind.UNARY: "Relu LeakyRelu Clip Neg Abs Floor Ceil Round Sign HardSwish HardSigmoid Cast QuantizeLinear "
    "DequantizeLinear ThresholdedRelu",
    Kind.MATH: "Sigmoid Gelu Tanh Exp Log Sqrt Div Reciprocal Sin Cos Pow Elu Selu Celu Erf Softplus Softsign Mish "
    "Swish Mod",
    Kind.SOFTMAX: "Softmax LogSoftmax",
    Kind.NORM: "LayerNormalization BatchNormalization InstanceNormalization GroupNormalization RMSNormalization LRN "
    "LpNormalization",
    Kind.REDUCE: "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare "
    "ReduceLogSumExp CumSum ArgMax ArgMin",
    Kind.POOL: "MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool",
    Kind.TRANSPOSE: "Transpose DepthToSpace SpaceToDepth",
    Kind.COPY: "Concat Split Slice Pad Tile Expand",
    Kind.VIEW: "Reshape Squeeze Unsqueeze Flatten Identity",
    Kind.GATHER: "Gather GatherElements GatherND Scatter ScatterElements ScatterND TopK OneHot NonZero "
    "NonMaxSuppression GridSample",
    Kind.RESIZE: "Resize Upsample",
    Kind.RECURRENT: "LSTM GRU RNN Loop Scan If",
    Kind.INTEGER: "Less LessOrEqual Greater GreaterOrEqual Equal And Or Not Xor Shape Range ConstantOfShape",
}


def work_of(instr: Instr) -> Work:
    """The kind, the counts and the window of an instruction; a product with constant weights is linear."""
    kind = kind_of(_KINDS, instr.op)
    found = counted(instr, kind, macs(instr), _window(instr))
    if kind is Kind.MATMUL and found.weights:
        return counted(instr, Kind.LINEAR, found.macs, found.window)
    return found


def _window(instr: Instr) -> Window | None:
    shapes = [v.type.sizes for v in instr.operands()]
    if len(shapes) < 2:
        return None
    first, second = shapes[:2]
    if instr.op == "Conv":
        out, depth, *kernel = second
        groups = first[1] // max(depth, 1)
        return Window(max(out // groups, 1), depth, math.prod(kernel), groups, len(kernel))
    if instr.op == "ConvTranspose":
        depth, out, *kernel = second
        return Window(out, depth, math.prod(kernel), 1, len(kernel))
    if instr.op in ("Gemm", "MatMul"):
        return Window(instr.outputs[0].type.sizes[-1], first[-1], space=0)
    return None
