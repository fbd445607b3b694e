"""Elementwise operators."""

from __future__ import annotations

from edgec.backends.coreml.legality.common import float_reject
from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ops.base import Value
from edgec.ops.elementwise import Activation, Binary, Cast, Clip, Gelu, Mod, Unary, Variadic, Where
from edgec.spec.target import Target

_INTEGER_UNARY = frozenset({"Abs", "Sign", "Not", "Neg", "Relu"})


def _unary(op: Unary, target: Target) -> Reject | None:
    return None if op.kind in _INTEGER_UNARY | {"Identity"} else float_reject([op.x], op.kind.lower())


def _binary(op: Binary, target: Target) -> Reject | None:
    if op.kind == "Pow" and is_integer(op.a) and not is_integer(op.b):
        return Reject("pow-integer-float", "the rounding of an integer to a float power depends on the runtime")
    return None


def _variadic(op: Variadic, target: Target) -> Reject | None:
    return None if len(op.xs) == 2 else Reject("variadic", "more or fewer than two operands")


def _activation(op: Activation, target: Target) -> Reject | None:
    return float_reject([op.x], op.kind.lower())


def is_integer(value: Value) -> bool:
    """Whether the elements are integers."""
    return value.dtype is not None and value.dtype.is_integer()


FAMILIES = (
    Family(
        Unary,
        "Abs Acos Asin Atan Atanh Ceil Cos Cosh Erf Exp Floor Identity Log Neg Not Reciprocal Relu Round Sigmoid Sign "
        "Sin Sinh Softplus Softsign Sqrt Tan Tanh",
        _unary,
    ),
    Family(Binary, "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Mul Or Pow PRelu Sub Xor", _binary),
    Family(Variadic, "Max Min", _variadic),
    Family(Mod, "Mod"),
    Family(Activation, "Elu HardSigmoid LeakyRelu", _activation),
    Family(Gelu, "Gelu"),
    Family(Clip, "Clip"),
    Family(Where, "Where"),
    Family(Cast, "Cast"),
)
