"""The number formats of a target, for compute, weights and activations, read from its `[numerics]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgec.spec.reader import Checker, Table

_FLOATS = ("float32", "float16")
_BITS = {"int4": 4, "int8": 8, "uint8": 8, "int16": 16}
_GRANULARITIES = ("tensor", "channel", "block")
_KEPT = ("as-needed", "ranges", "decisions")
_METHODS = ("mse", "min-max", "average", "percentile")
_BLOCKS = (16, 32, 64, 128, 256)


@dataclass(frozen=True)
class NumberFormat:
    """The format of numbers in one role: floats, or quantized with a scale.

    `granularity`: one scale for each tensor, output channel, or `block` of numbers in a channel. `symmetric`: the zero
    point is 0 (the middle of an unsigned type), so that the range extends equally far on both sides.
    """

    type: str
    granularity: str = "tensor"
    block: int | None = None
    symmetric: bool = True

    @property
    def is_float(self) -> bool:
        """Whether numbers are floats rather than quantized."""
        return self.type in _FLOATS

    @property
    def bits(self) -> int:
        """The bits of a quantized value. Raises `KeyError` for floats."""
        return _BITS[self.type]

    @property
    def limits(self) -> tuple[int, int]:
        """The least and greatest quantized value; symmetric signed formats omit the least, as kernels multiply two."""
        if self.type.startswith("u"):
            return 0, 2**self.bits - 1
        most = 2 ** (self.bits - 1) - 1
        return (-most if self.symmetric else -most - 1), most

    def __str__(self) -> str:
        """The display form."""
        if self.is_float:
            return self.type
        per = f"blocks of {self.block}" if self.granularity == "block" else self.granularity
        return f"{self.type} per {per}, {'symmetric' if self.symmetric else 'asymmetric'}"


FLOAT32 = NumberFormat("float32")


@dataclass(frozen=True)
class Numerics:
    """The formats in which the device may compute (`compute`), in which constants are stored (`weights`, by default as
    `compute`), and in which integers are passed between operators (`activations`; None: floats).

    `float32` selects what remains in float32 if `compute` is float16: `ranges`, values that overflow or lose precision;
    `decisions`, also discontinuous or steep functions, such as an index; `as-needed`, the least that meets the target's
    accuracy: `ranges`, else `decisions`, else everything. `calibration` is the method that computes the range of an
    activation from observed values.
    """

    compute: str = "float32"
    weights: NumberFormat = field(default=FLOAT32)
    activations: NumberFormat | None = None
    float32: str = "as-needed"
    calibration: str = "mse"

    @property
    def quantizes(self) -> bool:
        """Whether anything is quantized."""
        return not self.weights.is_float or self.activations is not None


def read_numerics(c: Checker, table: Table) -> Numerics:
    """Read `[numerics]`; errors are collected by the checker."""
    c.known(table, ("compute", "weights", "activations", "float32", "calibration"), "numerics.")
    compute = c.choice(table, "compute", _FLOATS, "float32")
    weights = _format(c, table, "weights", NumberFormat(compute))
    activations = _format(c, table, "activations", NumberFormat(compute))
    if not activations.is_float and weights.is_float:
        c.problem("`activations` in integers need `weights` in integers: kernels multiply one by the other", "weights")
    if activations.is_float and activations.type != compute:
        c.problem(f"floats are handed on as they are computed, which is `{compute}`", "activations")
    if not activations.is_float and activations.granularity != "tensor":
        c.problem("`activations` have one scale for each tensor", "granularity")
    return Numerics(
        compute,
        weights,
        None if activations.is_float else activations,
        c.choice(table, "float32", _KEPT, "as-needed"),
        c.choice(table, "calibration", _METHODS, "mse"),
    )


def _format(c: Checker, table: Table, role: str, default: NumberFormat) -> NumberFormat:
    """Read a type (`"int8"`) or a table with its granularity and symmetry."""
    if not isinstance(table.get(role), Mapping):
        inner: Table = {}
        kind = c.choice(table, role, (*_FLOATS, *_BITS), default.type)
    else:
        inner = c.table(table, role)
        c.known(inner, ("type", "granularity", "block", "symmetric"), f"numerics.{role}.")
        kind = c.choice(inner, "type", (*_FLOATS, *_BITS), default.type)
    if kind in _FLOATS:
        for key in inner.keys() - {"type"}:
            c.problem(f"`{key}` applies to integers, not to {kind}", key)
        return NumberFormat(kind)
    of_weights = role == "weights"
    block = c.integer(inner, "block", 0) or None
    granularity = c.choice(
        inner, "granularity", _GRANULARITIES, "block" if block else "channel" if of_weights else "tensor"
    )
    if (granularity == "block") != bool(block):
        c.problem('`block` and `granularity = "block"` go together', "block" if block else "granularity")
    elif block and block not in _BLOCKS:
        c.problem(f"`block` is {block}, not one of {', '.join(map(str, _BLOCKS))}", "block")
    return NumberFormat(kind, granularity, block, c.boolean(inner, "symmetric", of_weights))
