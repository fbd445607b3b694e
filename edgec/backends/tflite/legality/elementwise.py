"""Elementwise operators."""

from __future__ import annotations

from edgec.backends.legality import Family
from edgec.backends.tflite.legality.common import takes, type_reject
from edgec.backends.tflite.legality.kernels import KERNEL_TYPES
from edgec.dialect.reject import Reject
from edgec.ops.elementwise import Activation, Binary, BitShift, Cast, Clip, Gelu, Mod, Unary, Variadic, Where
from edgec.spec.target import Target


def _binary(op: Binary, target: Target) -> Reject | None:
    exponent = op.b.dtype.numpy().name if op.b.dtype is not None else ""
    if op.kind == "Pow" and exponent not in KERNEL_TYPES["Cast"]:
        return Reject(f"pow-{exponent}", f"an exponent of type {exponent} cannot be cast")
    return type_reject(op, [op.a, op.b] if op.kind != "Pow" else [op.a])


def _variadic(op: Variadic, target: Target) -> Reject | None:
    if len(op.xs) != 2:
        return Reject(f"{op.kind.lower()}-variadic", "more or fewer than two operands")
    return type_reject(op, op.xs)


def _mod(op: Mod, target: Target) -> Reject | None:
    if op.fmod:
        return Reject("mod-fmod", "FLOOR_MOD has the divisor's sign, fmod the dividend's")
    return type_reject(op, [op.a, op.b])


def _activation(op: Activation, target: Target) -> Reject | None:
    if op.kind == "Elu" and op.alpha != 1.0:
        return Reject("elu-alpha", "ELU has alpha 1 alone")
    return type_reject(op, [op.x])


def _cast(op: Cast, target: Target) -> Reject | None:
    if op.to.numpy().name not in KERNEL_TYPES["Cast"]:
        return Reject(f"cast-to-{op.to.numpy().name}", "the runtime lacks this element type")
    return type_reject(op, [op.x])


def _shift(op: BitShift, target: Target) -> Reject | None:
    if op.left:
        return Reject("bitshift-left", "only right shifts have a kernel")
    return type_reject(op, [op.a, op.b])


FAMILIES = (
    Family(
        Unary,
        "Abs Ceil Cos Exp Floor HardSwish Identity Log Neg Not Reciprocal Relu Round Sigmoid Sign Sin Sqrt Tanh Atan",
        takes(lambda op: [op.x]),
    ),
    Family(
        Binary,
        "Add And BitwiseAnd BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Mul Or Pow PRelu Sub",
        _binary,
    ),
    Family(Variadic, "Max Min", _variadic),
    Family(Mod, "Mod", _mod),
    Family(BitShift, "BitShift", _shift),
    Family(Activation, "Elu LeakyRelu", _activation),
    Family(Gelu, "Gelu", takes(lambda op: [op.x])),
    Family(Clip, "Clip", takes(lambda op: [op.x])),
    Family(Where, "Where", takes(lambda op: [op.a, op.b])),
    Family(Cast, "Cast", _cast),
)
