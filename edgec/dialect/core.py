"""The core dialect: the closed set of operators that canonicalization produces and every backend starts from."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from edgec.dialect.base import Dialect
from edgec.dialect.reject import Reject
from edgec.ir.model import OPSET


@dataclass(frozen=True)
class _Signature:
    """The definition of an operator at the working opset."""

    attributes: frozenset[str]
    inputs: tuple[frozenset[str], ...]
    outputs: tuple[frozenset[str], ...]
    most_inputs: int


@functools.cache
def _signature(op_type: str) -> _Signature:
    schema = onnx.defs.get_schema(op_type, OPSET, "")
    inputs, outputs = (tuple(frozenset(f.types) for f in formal) for formal in (schema.inputs, schema.outputs))
    return _Signature(frozenset(schema.attributes), inputs, outputs, schema.max_input)


def _within_opset(node: ir.Node) -> Reject | None:
    """Rejects attributes, inputs and element types that later opsets added to an operator."""
    known = _signature(node.op_type)
    newer = [name for name in node.attributes if name not in known.attributes]
    if newer or len(node.inputs) > known.most_inputs:
        what = f"the attribute `{newer[0]}`" if newer else "a further input"
        return Reject("newer-than-working-opset", f"opset {OPSET} does not have {what} of `{node.op_type}`")
    name = _unknown_type(node.inputs, known.inputs) or _unknown_type(node.outputs, known.outputs)
    if name:
        return Reject(f"{node.op_type.lower()}-{name}", f"opset {OPSET} has no `{node.op_type}` of {name}")
    return None


def _unknown_type(values: Sequence[ir.Value | None], allowed: tuple[frozenset[str], ...]) -> str | None:
    """The first element type that its formal parameter does not allow, or None; the last parameter may be repeated."""
    for i, value in enumerate(values):
        if value is not None and value.dtype is not None and isinstance(value.type, ir.TensorType):
            name = value.dtype.name.lower()
            if f"tensor({name})" not in allowed[min(i, len(allowed) - 1)]:
                return name
    return None


CORE = Dialect(
    name="core",
    ops=frozenset(
        # element-wise
        """
        Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast Ceil
        Clip Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf
        IsNaN LeakyRelu Less LessOrEqual Log Max Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Sigmoid
        Sign Sin Sinh Softplus Softsign Sqrt Sub Tan Tanh Where Xor
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
        + "GRU LSTM Loop RNN DequantizeLinear QuantizeLinear".split()
    ),
    every=_within_opset,
)
