"""Elementwise operators."""

from __future__ import annotations

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.coreml.lower.common import (
    MilBuilder,
    cast,
    shape_of,
    static_dims,
    type_of,
    wrapped,
)
from edgec.backends.coreml.types import mil_type
from edgec.ir.model import constant
from edgec.ops.elementwise import Activation, Binary, Cast, Clip, Gelu, Mod, Unary, Variadic, Where

_UNARY = {
    "Abs": "abs", "Acos": "acos", "Asin": "asin", "Atan": "atan", "Atanh": "atanh", "Ceil": "ceil", "Cos": "cos",
    "Cosh": "cosh", "Erf": "erf", "Exp": "exp", "Floor": "floor", "Not": "logical_not", "Relu": "relu",
    "Round": "round", "Sigmoid": "sigmoid", "Sign": "sign", "Sin": "sin", "Sinh": "sinh", "Softplus": "softplus",
    "Softsign": "softsign", "Sqrt": "sqrt", "Tan": "tan", "Tanh": "tanh",
}  # fmt: skip
_BINARY = {
    "Add": "add", "And": "logical_and", "Equal": "equal", "Greater": "greater", "GreaterOrEqual": "greater_equal",
    "Less": "less", "LessOrEqual": "less_equal", "Max": "maximum", "Min": "minimum", "Mul": "mul", "Or": "logical_or",
    "Pow": "pow", "Sub": "sub", "Xor": "logical_xor",
}  # fmt: skip


def _unary(op: Unary, b: MilBuilder) -> Operand:
    x, out = b.operand(op.x), type_of(op.y)
    if op.kind == "Identity":
        return x
    if op.kind == "Neg":
        return wrapped(b, b.emit("mul", out, x=x, y=_number(b, -1, x)), op.y)
    if op.kind == "Reciprocal":
        return b.emit("real_div", out, x=_number(b, 1, x), y=x)
    if op.kind == "Log":
        return b.emit("log", out, x=x, epsilon=0.0)
    if op.kind == "Relu" and x.type.dtype == "int32":
        return b.emit("maximum", out, x=x, y=_number(b, 0, x))
    return wrapped(b, b.emit(_UNARY[op.kind], out, x=x), op.y)


def _number(b: MilBuilder, value: float, like: Operand) -> Operand:
    return b.const(np.asarray(value, dtype=mil_type(like.type.dtype)), "number")


def _binary(op: Binary, b: MilBuilder) -> Operand:
    x, y, out = b.operand(op.a), b.operand(op.b), type_of(op.y)
    if op.kind == "PRelu":
        return _prelu(op, b)
    if op.kind == "Div":
        integers = out.dtype == "int32"
        quotient = _truncated_division(b, x, y, out) if integers else b.emit("real_div", out, x=x, y=y)
        return wrapped(b, quotient, op.y)
    if op.kind == "Equal" and x.type.dtype == "bool":
        x, y = cast(b, x, "int32"), cast(b, y, "int32")
    if op.kind == "Pow":
        y = cast(b, y, x.type.dtype)
    result = b.emit(_BINARY[op.kind], out, x=x, y=y)
    return wrapped(b, result, op.y) if op.kind in ("Add", "Sub", "Mul", "Pow") else result


def _prelu(op: Binary, b: MilBuilder) -> Operand:
    """`prelu` for one slope per channel, otherwise max(x, 0) + slope * min(x, 0)."""
    x, out, slope = b.operand(op.a), type_of(op.y), _channel_slope(op)
    if slope is not None and out.dtype.startswith("float"):
        return b.emit("prelu", out, x=x, alpha=b.const(slope, "slope"))
    above = b.emit("maximum", out, x=x, y=_number(b, 0, x))
    below = b.emit("minimum", out, x=x, y=_number(b, 0, x))
    return b.emit("add", out, x=above, y=b.emit("mul", out, x=below, y=b.operand(op.b)))


def _truncated_division(b: MilBuilder, x: Operand, y: Operand, out: TensorType) -> Operand:
    """ONNX's integer division rounds toward zero, floor_div toward minus infinity: add 1 where they differ."""
    quotient = b.emit("floor_div", out, x=x, y=y)
    product = b.emit("mul", out, x=quotient, y=y)
    flags = TensorType("bool", out.shape)
    uneven = b.emit("not_equal", flags, x=product, y=x)
    below = b.emit("less", flags, x=quotient, y=_number(b, 0, quotient))
    both = b.emit("logical_and", flags, x=uneven, y=below)
    return b.emit("add", out, x=quotient, y=cast(b, both, "int32"))


def _channel_slope(op: Binary) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]] | None:
    """PRelu's slope as (C) if it varies along axis 1 only and x has a rank of at least 3."""
    array, shape = constant(op.b), shape_of(op.a)
    if array is None or len(shape) < 3:
        return None
    full = (1,) * (len(shape) - array.ndim) + array.shape
    if any(d != 1 for i, d in enumerate(full) if i != 1):
        return None
    return np.ascontiguousarray(np.broadcast_to(array.reshape(-1), (shape[1],)))


def _variadic(op: Variadic, b: MilBuilder) -> Operand:
    return b.emit(_BINARY[op.kind], type_of(op.y), x=b.operand(op.xs[0]), y=b.operand(op.xs[1]))


def _mod(op: Mod, b: MilBuilder) -> Operand:
    """`mod` has the divisor's sign; fmod has the dividend's, and the magnitude |x| mod |y|."""
    x, y, out = b.operand(op.a), b.operand(op.b), type_of(op.y)
    if not op.fmod:
        return b.emit("mod", out, x=x, y=y)
    sizes = [b.emit("abs", v.type, x=v) for v in (x, y)]
    rest = b.emit("mod", out, x=sizes[0], y=sizes[1])
    return b.emit("mul", out, x=rest, y=b.emit("sign", x.type, x=x))


def _activation(op: Activation, b: MilBuilder) -> Operand:
    x, out = b.operand(op.x), type_of(op.y)
    if op.kind == "LeakyRelu":
        return b.emit("leaky_relu", out, x=x, alpha=op.alpha)
    if op.kind == "HardSigmoid":
        return b.emit("sigmoid_hard", out, x=x, alpha=op.alpha, beta=op.beta)
    return b.emit("elu", out, x=x, alpha=op.alpha)


def _gelu(op: Gelu, b: MilBuilder) -> Operand:
    mode = "TANH_APPROXIMATION" if op.tanh else "EXACT"
    return b.emit("gelu", type_of(op.y), x=b.operand(op.x), mode=mode)


def _clip(op: Clip, b: MilBuilder) -> Operand:
    x, out = b.operand(op.x), type_of(op.y)
    if out.dtype.startswith("float") and op.low is not None and op.high is not None and op.low < op.high:
        return b.emit("clip", out, x=x, alpha=float(op.low), beta=float(op.high))
    if op.low is not None:
        x = b.emit("maximum", out, x=x, y=_number(b, op.low, x))
    if op.high is not None:
        x = b.emit("minimum", out, x=x, y=_number(b, op.high, x))
    return x


def _where(op: Where, b: MilBuilder) -> Operand:
    """`select` has the shape of its two values: they are broadcast if the condition is larger."""
    condition, x, y, out = b.operand(op.condition), b.operand(op.a), b.operand(op.b), type_of(op.y)
    if out.dtype == "bool":
        wide = TensorType("int32", out.shape)
        picked = _where_values(b, condition, cast(b, x, "int32"), cast(b, y, "int32"), wide)
        return cast(b, picked, "bool")
    return _where_values(b, condition, x, y, out)


def _where_values(b: MilBuilder, condition: Operand, x: Operand, y: Operand, out: TensorType) -> Operand:
    if not _spans(x, y, out):
        whole = static_dims(out)
        x = b.emit(
            "add",
            out,
            x=x,
            y=b.const(np.zeros(whole, dtype=out.dtype), "zeros") if whole else _zeros(b, condition, out),
        )
    return b.emit("select", out, cond=condition, a=x, b=y)


def _spans(x: Operand, y: Operand, out: TensorType) -> bool:
    """Whether the two values broadcast to the result's shape, as far as is known: all its sizes are among theirs."""
    sizes = [(1,) * (len(out.shape) - len(v.type.shape)) + v.type.shape for v in (x, y)]
    ranks = max(len(x.type.shape), len(y.type.shape)) == len(out.shape)
    return ranks and all(
        want == 1 or (want != "?" and want in given) for want, *given in zip(out.shape, *sizes, strict=True)
    )


def _zeros(b: MilBuilder, condition: Operand, out: TensorType) -> Operand:
    """Zeros of the condition's open shape."""
    numbers = cast(b, condition, out.dtype)
    return b.emit("mul", numbers.type, x=numbers, y=b.const(np.asarray(0, dtype=out.dtype), "zero"))


def _cast(op: Cast, b: MilBuilder) -> Operand:
    """To bool: not equal to 0. To a narrow integer: modulo 2^n."""
    return wrapped(b, cast(b, b.operand(op.x), mil_type(op.to.numpy().name)), op.y)


LOWERINGS = (
    Lowering(Unary, _unary),
    Lowering(Binary, _binary),
    Lowering(Variadic, _variadic),
    Lowering(Mod, _mod),
    Lowering(Activation, _activation),
    Lowering(Gelu, _gelu),
    Lowering(Clip, _clip),
    Lowering(Where, _where),
    Lowering(Cast, _cast),
)
