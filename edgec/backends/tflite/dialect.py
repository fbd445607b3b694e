"""What a TFLite graph may hold after legalization."""

from __future__ import annotations

from edgec.backends.tflite.ops import DECODERS, NHWC
from edgec.dialect.base import Dialect

_PLAIN = """
Abs Add And ArgMax ArgMin Atan BitShift BitwiseAnd BitwiseXor Cast Ceil Clip Concat ConstantOfShape Cos CumSum Div Elu
Equal Exp Expand Floor Gather GatherND Gelu Greater GreaterOrEqual HardSwish Identity If LeakyRelu Less LessOrEqual
Log LogSoftmax Loop MatMul Max Min Mod Mul Neg NonMaxSuppression NonZero Not Or OneHot PRelu Pad Pow Range Reciprocal
ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Relu Reshape ReverseSequence Round ScatterND Shape Sigmoid Sign
Sin Slice Softmax Split Sqrt Squeeze Sub Tanh Tile TopK Transpose Unsqueeze Where
"""
_UNPLACED = "AveragePool Conv ConvTranspose DepthToSpace MaxPool Resize SpaceToDepth"
"""Operators of the channels-last domain in forms that the layout pass leaves alone: their lowering says why not."""

TFLITE_DIALECT = Dialect("tflite", frozenset((_PLAIN + _UNPLACED).split()) | {f"{NHWC}::{op}" for op in DECODERS})
"""Builtins of LiteRT 2.3 under ONNX's names, and the channels-last operators."""
