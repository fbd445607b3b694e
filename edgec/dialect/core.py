"""The core dialect: the closed op set that canonicalization ends in and every backend starts from."""

from __future__ import annotations

from edgec.dialect.base import Dialect

CORE = Dialect(
    name="core",
    ops=frozenset(
        # element-wise
        """
        Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast Ceil
        Clip Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf
        IsNaN LeakyRelu Less LessOrEqual Log Max Min Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Sigmoid Sign
        Sin Sinh Softplus Softsign Sqrt Sub Tan Tanh Where Xor
        """.split()
        # linear, windows, normalization, reductions
        + """
        Attention AveragePool BatchNormalization Conv ConvTranspose Gemm GroupNormalization InstanceNormalization
        LayerNormalization LogSoftmax LRN MatMul MaxPool RMSNormalization Softmax
        ArgMax ArgMin CumSum ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum TopK
        """.split()
        # shape, indexing, images
        + """
        Concat ConstantOfShape DepthToSpace Expand Gather GatherElements GatherND GridSample NonMaxSuppression NonZero
        OneHot Pad Range Reshape Resize ReverseSequence ScatterElements ScatterND Shape Slice SpaceToDepth Split
        Squeeze Tile Transpose Trilu Unsqueeze
        """.split()
        # recurrence, control flow, quantization
        + "GRU If LSTM Loop RNN DequantizeLinear QuantizeLinear".split()
    ),
)
