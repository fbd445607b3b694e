"""Elementwise operators."""

from __future__ import annotations

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import (
    binary,
    broadcast,
    cast,
    constant_like,
    out_type,
    scalar,
    shape_of,
)
from edgec.ir.model import constant
from edgec.ops.elementwise import Activation, Binary, BitShift, Cast, Clip, Gelu, Mod, Unary, Variadic, Where

_UNARY = {
    "Abs": "ABS", "Ceil": "CEIL", "Cos": "COS", "Exp": "EXP", "Floor": "FLOOR", "HardSwish": "HARD_SWISH", "Log": "LOG",
    "Neg": "NEG", "Not": "LOGICAL_NOT", "Relu": "RELU", "Round": "ROUND", "Sigmoid": "LOGISTIC", "Sign": "SIGN",
    "Sin": "SIN", "Sqrt": "SQRT", "Tanh": "TANH",
}  # fmt: skip
_BINARY = {
    "Add": "ADD", "And": "LOGICAL_AND", "BitwiseAnd": "STABLEHLO_AND", "BitwiseXor": "BITWISE_XOR", "Div": "DIV",
    "Equal": "EQUAL", "Greater": "GREATER",
    "GreaterOrEqual": "GREATER_EQUAL", "Less": "LESS", "LessOrEqual": "LESS_EQUAL", "Max": "MAXIMUM", "Min": "MINIMUM",
    "Mul": "MUL", "Or": "LOGICAL_OR", "Pow": "POW", "PRelu": "PRELU", "Sub": "SUB",
}  # fmt: skip


def _unary(op: Unary, b: Builder) -> Operand:
    x = b.operand(op.x)
    if op.kind == "Identity":
        return x
    if op.kind == "Reciprocal":
        return binary(b, "DIV", scalar(b, 1.0, x.type.dtype, "one"), x)
    if op.kind == "Atan":
        return b.op("ATAN2", {"y": x, "x": _ones_like(x, b)})
    if op.kind == "Neg" and x.type.dtype == "float32":  # XNNPACK's NEG turns +0 into +0
        return binary(b, "MUL", x, scalar(b, -1.0, "float32", "minus_one"))
    return b.op(_UNARY[op.kind], {"x": x})


def _ones_like(x: Operand, b: Builder) -> Operand:
    """ATAN2 does not broadcast."""
    return broadcast(b, scalar(b, 1.0, x.type.dtype, "one"), [d for d in x.type.shape if isinstance(d, int)])


def _binary(op: Binary, b: Builder) -> Operand:
    x, y = b.operand(op.a), b.operand(op.b)
    if op.kind == "PRelu":
        return b.op("PRELU", {"x": x, "alpha": _slope(op, b)})
    if op.kind == "Pow":
        y = cast(b, y, x.type.dtype)
    if op.kind == "BitwiseAnd":
        x, y = (broadcast(b, v, shape_of(op.y)) for v in (x, y))
    return binary(b, _BINARY[op.kind], x, y)


def _slope(op: Binary, b: Builder) -> Operand:
    """The slope without leading ones, as PRELU requires."""
    array = constant(op.b)
    if array is None:
        return b.operand(op.b)
    while array.ndim > 1 and array.shape[0] == 1:
        array = array[0]
    return constant_like(b, array, op.b)


def _variadic(op: Variadic, b: Builder) -> Operand:
    return b.op(_BINARY[op.kind], {"a": b.operand(op.xs[0]), "b": b.operand(op.xs[1])})


def _mod(op: Mod, b: Builder) -> Operand:
    return binary(b, "FLOOR_MOD", b.operand(op.a), b.operand(op.b))


def _activation(op: Activation, b: Builder) -> Operand:
    x = b.operand(op.x)
    if op.kind == "LeakyRelu":
        return b.op("LEAKY_RELU", {"x": x}, alpha=op.alpha)
    return b.op("ELU", {"x": x})


def _gelu(op: Gelu, b: Builder) -> Operand:
    return b.op("GELU", {"x": b.operand(op.x)}, approximate=op.tanh)


_RELUS = {(0.0, None): "RELU", (0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}
"""Clips that can be fused into the preceding kernel. (No delegate has RELU_0_TO_1: RELU and MINIMUM are better.)"""


def _clip(op: Clip, b: Builder) -> Operand:
    x = b.operand(op.x)
    name = _RELUS.get((op.low, op.high)) if x.type.dtype == "float32" else None  # type: ignore[arg-type]
    if name is not None:
        return b.op(name, {"x": x})
    if op.low == 0.0 and x.type.dtype == "float32":
        x = b.op("RELU", {"x": x}, x.type)
    elif op.low is not None:
        x = binary(b, "MAXIMUM", x, scalar(b, op.low, x.type.dtype, "low"), x.type)
    if op.high is not None:
        x = binary(b, "MINIMUM", x, scalar(b, op.high, x.type.dtype, "high"), x.type)
    return x


def _where(op: Where, b: Builder) -> Operand:
    return b.op("SELECT_V2", {"c": b.operand(op.condition), "a": b.operand(op.a), "b": b.operand(op.b)})


def _shift(op: BitShift, b: Builder) -> Operand:
    return binary(b, "RIGHT_SHIFT", b.operand(op.a), b.operand(op.b))


def _cast(op: Cast, b: Builder) -> Operand:
    x = b.operand(op.x)
    if op.to.numpy().name == "bool" and x.type.dtype.startswith("float"):
        zero = scalar(b, 0.0, x.type.dtype, "zero")
        return binary(b, "NOT_EQUAL", x, zero, TensorType("bool", x.type.shape))
    return b.op("CAST", {"input": x}, out_type(op.y))


LOWERINGS = (
    Lowering(Unary, _unary),
    Lowering(Binary, _binary),
    Lowering(Variadic, _variadic),
    Lowering(Mod, _mod),
    Lowering(BitShift, _shift),
    Lowering(Activation, _activation),
    Lowering(Gelu, _gelu),
    Lowering(Clip, _clip),
    Lowering(Where, _where),
    Lowering(Cast, _cast),
)
