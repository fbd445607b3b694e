"""Views of element-wise operators. All of them broadcast like numpy."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgec.ops.base import Op, Reader, Value

UNARY = frozenset(
    "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Cos Cosh Erf Exp Floor HardSwish Identity IsNaN Log Mish Neg "
    "Not Reciprocal Relu Round Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh".split()
)
"""Operators of one input and no attribute. `Round` rounds half to even."""

BINARY = frozenset(
    "Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Mul Or Pow PRelu Sub "
    "Xor".split()
)
"""Operators of two inputs and no attribute. Integer `Div` truncates toward zero."""

VARIADIC = frozenset({"Max", "Min", "Sum", "Mean"})


@dataclass(frozen=True, eq=False)
class Unary(Op):
    """`y = kind(x)`; `kind` is one of `UNARY`."""

    kind: str
    x: Value

    @staticmethod
    def decode(r: Reader) -> Unary:
        return Unary(r.node, r.node.op_type, r.input(0))


@dataclass(frozen=True, eq=False)
class Binary(Op):
    """`y = kind(a, b)`; `kind` is one of `BINARY`."""

    kind: str
    a: Value
    b: Value

    @staticmethod
    def decode(r: Reader) -> Binary:
        return Binary(r.node, r.node.op_type, r.input(0), r.input(1))


@dataclass(frozen=True, eq=False)
class Variadic(Op):
    """`y = kind(xs…)`; `kind` is one of `VARIADIC`. Canonical graphs hold only Max and Min of two inputs."""

    kind: str
    xs: tuple[Value, ...]

    @staticmethod
    def decode(r: Reader) -> Variadic:
        return Variadic(r.node, r.node.op_type, r.variadic())


@dataclass(frozen=True, eq=False)
class Mod(Op):
    """`y = a mod b`. `fmod`: the result has the dividend's sign (C), else the divisor's (Python)."""

    a: Value
    b: Value
    fmod: bool

    @staticmethod
    def decode(r: Reader) -> Mod:
        return Mod(r.node, r.input(0), r.input(1), bool(r.integer("fmod", 0)))


@dataclass(frozen=True, eq=False)
class BitShift(Op):
    """`y = a << b` or `a >> b` on unsigned integers."""

    a: Value
    b: Value
    left: bool

    @staticmethod
    def decode(r: Reader) -> BitShift:
        return BitShift(r.node, r.input(0), r.input(1), r.string("direction", "LEFT") == "LEFT")


@dataclass(frozen=True, eq=False)
class IsInf(Op):
    """Whether x is an infinity of a requested sign."""

    x: Value
    negative: bool
    positive: bool

    @staticmethod
    def decode(r: Reader) -> IsInf:
        return IsInf(r.node, r.input(0), bool(r.integer("detect_negative", 1)), bool(r.integer("detect_positive", 1)))


@dataclass(frozen=True, eq=False)
class Activation(Op):
    """Elu, LeakyRelu, HardSigmoid, Celu, Selu, ThresholdedRelu, Swish: `y = kind(x; alpha, beta)`.

    Elu, Celu, LeakyRelu, ThresholdedRelu and Swish use `alpha` alone. HardSigmoid is
    `clip(alpha*x + beta, 0, 1)`; Selu is `beta*(x > 0 ? x : alpha*(exp(x)-1))` with beta its `gamma`.
    """

    kind: str
    x: Value
    alpha: float
    beta: float

    @staticmethod
    def decode(r: Reader) -> Activation:
        kind = r.node.op_type
        alpha, second, beta = _ACTIVATION_DEFAULTS[kind]
        return Activation(r.node, kind, r.input(0), r.number("alpha", alpha), r.number(second, beta))


_ACTIVATION_DEFAULTS: dict[str, tuple[float, str, float]] = {
    "Elu": (1.0, "beta", 0.0),
    "Celu": (1.0, "beta", 0.0),
    "LeakyRelu": (0.01, "beta", 0.0),
    "ThresholdedRelu": (1.0, "beta", 0.0),
    "Swish": (1.0, "beta", 0.0),
    "HardSigmoid": (0.2, "beta", 0.5),
    "Selu": (1.67326319217681884765625, "gamma", 1.05070102214813232421875),
}
ACTIVATIONS = frozenset(_ACTIVATION_DEFAULTS)


@dataclass(frozen=True, eq=False)
class Shrink(Op):
    """`x < -lambd: x + bias; x > lambd: x - bias; else 0`."""

    x: Value
    bias: float
    lambd: float

    @staticmethod
    def decode(r: Reader) -> Shrink:
        return Shrink(r.node, r.input(0), r.number("bias", 0.0), r.number("lambd", 0.5))


@dataclass(frozen=True, eq=False)
class Gelu(Op):
    """Gaussian error linear unit, exact (erf) or by the tanh approximation."""

    x: Value
    tanh: bool

    @staticmethod
    def decode(r: Reader) -> Gelu:
        return Gelu(r.node, r.input(0), r.string("approximate", "none") == "tanh")


@dataclass(frozen=True, eq=False)
class Clip(Op):
    """`y = min(max(x, low), high)`.

    `low` and `high` are the constant bounds; None if a bound is absent or computed. `low_value` and `high_value` are
    the operands; None if absent.
    """

    x: Value
    low: int | float | None
    high: int | float | None
    low_value: Value | None
    high_value: Value | None

    @property
    def is_constant(self) -> bool:
        """Whether each bound is absent or a known number."""
        return (self.low_value is None or self.low is not None) and (self.high_value is None or self.high is not None)

    @staticmethod
    def decode(r: Reader) -> Clip:
        low, high = r.const_scalar(1), r.const_scalar(2)
        return Clip(r.node, r.input(0), low, high, r.optional(1), r.optional(2))


@dataclass(frozen=True, eq=False)
class Where(Op):
    """`y = condition ? a : b`."""

    condition: Value
    a: Value
    b: Value

    @staticmethod
    def decode(r: Reader) -> Where:
        return Where(r.node, r.input(0), r.input(1), r.input(2))


@dataclass(frozen=True, eq=False)
class Cast(Op):
    """Conversion of the element type. Float to integer truncates toward zero."""

    x: Value
    to: ir.DataType

    @staticmethod
    def decode(r: Reader) -> Cast:
        return Cast(r.node, r.input(0), ir.DataType(r.integer("to")))
