"""Views of QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.ops.base import Op, Reader, Value


@dataclass(frozen=True, eq=False)
class QuantizeLinear(Op):
    """`y = saturate(round_half_even(x / scale) + zero_point)`, per tensor, per axis, or per block along `axis`."""

    x: Value
    scale: Value
    zero_point: Value | None
    axis: int
    block_size: int

    @staticmethod
    def decode(r: Reader) -> QuantizeLinear:
        x = r.input(0)
        axis = _axis(r, x)
        return QuantizeLinear(r.node, x, r.input(1), r.optional(2), axis, r.integer("block_size", 0))


@dataclass(frozen=True, eq=False)
class DequantizeLinear(Op):
    """`y = (x - zero_point) * scale`, per tensor, per axis, or per block along `axis`."""

    x: Value
    scale: Value
    zero_point: Value | None
    axis: int
    block_size: int

    @staticmethod
    def decode(r: Reader) -> DequantizeLinear:
        x = r.input(0)
        axis = _axis(r, x)
        return DequantizeLinear(r.node, x, r.input(1), r.optional(2), axis, r.integer("block_size", 0))


def _axis(r: Reader, x: Value) -> int:
    """The quantized axis; 0 for a scalar scale, where the attribute is meaningless and may be out of range."""
    if r.rank(r.input(1)) == 0:
        return 0
    return r.axis(r.integer("axis", 1), r.rank(x)) if r.rank(x) > 1 else 0
