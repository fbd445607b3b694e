"""What a Core ML graph may hold after legalization."""

from __future__ import annotations

from edgec.backends.coreml.ops import MIL
from edgec.backends.coreml.options import CoreMLOptions
from edgec.dialect.base import Dialect
from edgec.spec.target import Target

_SINCE_IOS15 = frozenset(
    """
        Abs Acos Add And ArgMax ArgMin Asin Atan Atanh AveragePool Cast Ceil Clip Concat ConstantOfShape Conv
        ConvTranspose Cos Cosh CumSum DepthToSpace Div Elu Equal Erf Exp Expand Floor GRU Gather GatherElements
        GatherND Gelu Gemm Greater GreaterOrEqual GridSample HardSigmoid Identity If InstanceNormalization LRN LSTM
        LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax Loop MatMul Max MaxPool Min Mod Mul Neg
        NonMaxSuppression NonZero Not OneHot Or PRelu Pad Pow RNN Range Reciprocal ReduceMax ReduceMean ReduceMin
        ReduceProd ReduceSum Relu Reshape Resize Round ScatterElements ScatterND Sigmoid Sign Sin Sinh Slice Shape
        Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Tan Tanh Tile TopK Transpose Trilu Unsqueeze
        Where Xor
        """.split()
)
"""MIL's operations of iOS 15 and later under ONNX's names."""

_SINCE_IOS18 = frozenset({"Attention", f"{MIL}::SliceUpdate"})


def dialect(target: Target) -> Dialect:
    """What the oldest system that the target names can run."""
    ops = _SINCE_IOS18 if has_fused_attention(target) else frozenset({"Attention"} if takes_channels(target) else ())
    return Dialect("coreml", _SINCE_IOS15 | ops)


def has_fused_attention(target: Target) -> bool:
    """Whether MIL's own attention is there: from iOS 18 on."""
    return not _options(target).is_before("iOS18")


def takes_channels(target: Target) -> bool:
    """Whether tokens become channels-first, attention with them."""
    return _options(target).neural_engine == "on"


def _options(target: Target) -> CoreMLOptions:
    assert isinstance(target.options, CoreMLOptions)
    return target.options
