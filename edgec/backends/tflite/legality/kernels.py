"""The element types that LiteRT's kernels support, and the wider ones in which others are computed exactly.

The table lists what LiteRT 2.3 was measured to compute correctly on the CPU without quantization parameters;
kernels whose 8- and 16-bit forms are meant for quantized tensors are not used for plain integers.
"""

from __future__ import annotations

import onnx_ir as ir

_FLOAT = frozenset({"float32"})
_SIGNED = frozenset({"float32", "int32"})
_NUMBERS = frozenset({"float32", "int32", "int64"})
_BYTES = frozenset({"int8", "uint8", "int16", "bool"}) | _NUMBERS
_ALL = _BYTES | {"float16", "float64", "uint16", "uint32", "uint64"}
_BITS = frozenset({"int8", "uint8", "int16", "uint16", "int32", "uint32"})

KERNEL_TYPES: dict[str, frozenset[str]] = {
    **dict.fromkeys("Atan Ceil Cos Elu Exp Floor Gelu HardSwish LeakyRelu Log PRelu Reciprocal Relu Round Sigmoid Sin "
                    "Sqrt Tanh Softmax LogSoftmax MatMul ReduceMean Conv ConvTranspose AveragePool MaxPool "
                    "Resize".split(), _FLOAT),
    **dict.fromkeys("Abs Sign Div Pow ArgMax ArgMin".split(), _SIGNED),
    **dict.fromkeys("Add Sub Mul Neg Max Min Mod Clip CumSum Greater GreaterOrEqual Less LessOrEqual Range ReduceMax "
                    "ReduceMin ReduceProd ReduceSum TopK".split(), _NUMBERS),
    **dict.fromkeys(("And", "Or", "Not"), frozenset({"bool"})),
    **dict.fromkeys(("Gather", "GatherND", "Pad"), _BYTES),
    "Equal": _NUMBERS | {"bool"},
    "NonMaxSuppression": _FLOAT,
    "NonZero": _NUMBERS | {"bool", "int8", "uint8", "uint32"},
    "BitwiseAnd": _BITS | {"int64", "uint64"},
    "BitwiseXor": _BITS,
    "BitShift": _BITS,
    "Concat": _BYTES | {"uint32"},
    "OneHot": _BYTES - {"int16"},
    "ReverseSequence": _NUMBERS,
    "ScatterND": _BYTES - {"int16"},
    "Split": _BYTES - {"bool"},
    "Cast": _ALL - {"uint64"} | {"bfloat16"},
    **dict.fromkeys("ConstantOfShape Expand Identity Reshape Slice Squeeze Tile Transpose Unsqueeze Where DepthToSpace "
                    "SpaceToDepth".split(), _ALL),
}  # fmt: skip
"""The element types (numpy's names) of each operator of the TFLite dialect (ONNX's name)."""

_WIDER: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("bool", "int8", "uint8", "int16", "uint16"), ("int32", "float32")),
    "uint32": ("int64",),
}
"""Types that represent every value of the narrower one. Casting results back wraps around like ONNX's integers."""

_ORDER_ONLY = frozenset({"MaxPool", "Relu"})
"""Float kernels that select or compare values: exact on small integers."""


def wider(op_type: str, dtype: str) -> str | None:
    """The wider type in which the operator is exact for this one, or None."""
    kernel = KERNEL_TYPES[op_type]
    candidates = _WIDER.get(dtype, ())
    return next((c for c in candidates if c in kernel and (c != "float32" or op_type in _ORDER_ONLY)), None)


_SIX = frozenset("Concat MatMul Pad ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Softmax Tile".split())


def highest_rank(op_type: str) -> int:
    """The maximum rank of the operator's kernel in LiteRT 2.3."""
    return 6 if op_type in _SIX else 8


_FOUR = frozenset("And Equal Greater GreaterOrEqual Less LessOrEqual Mod Or Pow BitShift BitwiseAnd BitwiseXor".split())
_FIVE = frozenset("MatMul Pad Slice Where".split())
_INTEGERS = {"Mul": 4, "Div": 5, "Max": 5, "Min": 5, "Sub": 5}
"""Kernels whose integer form has a lower maximum rank than the float form (which XNNPACK computes)."""


def portable_rank(node: ir.Node) -> int:
    """The maximum rank of the operator's kernel in all runtimes from TensorFlow Lite 2.14 on.

    Measured (`edgec.ledger.tflite.runtimes`). Above it the operator is put between reshapes, which cost almost nothing;
    broadcasts above it abort the process in older runtimes.
    """
    if node.op_type in _FOUR or node.op_type in _FIVE:
        return 4 if node.op_type in _FOUR else 5
    x = node.inputs[0] if node.inputs else None
    is_float = x is None or x.dtype is None or x.dtype.is_floating_point()
    return 6 if is_float else _INTEGERS.get(node.op_type, 6)
