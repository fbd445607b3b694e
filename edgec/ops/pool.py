"""Views of the pooling operators."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.ops.base import Op, Reader, Value
from edgec.ops.spatial import Window, window


@dataclass(frozen=True, eq=False)
class MaxPool(Op):
    """Maximum over a window; padding is never the maximum. The optional second output holds flat indices."""

    x: Value
    window: Window
    ceil_mode: bool
    column_major_indices: bool

    @property
    def has_indices(self) -> bool:
        """Whether the second output (Indices) is used."""
        return len(self.node.outputs) > 1 and bool(self.node.outputs[1].name)

    @staticmethod
    def decode(r: Reader) -> MaxPool:
        x = r.input(0)
        found = window(r, x, r.ints("kernel_shape", ()))
        return MaxPool(r.node, x, found, bool(r.integer("ceil_mode", 0)), bool(r.integer("storage_order", 0)))


@dataclass(frozen=True, eq=False)
class AveragePool(Op):
    """Mean over a window; `count_include_pad`: explicit padding counts in the divisor (ceil_mode's overhang never)."""

    x: Value
    window: Window
    ceil_mode: bool
    count_include_pad: bool

    @staticmethod
    def decode(r: Reader) -> AveragePool:
        x = r.input(0)
        found = window(r, x, r.ints("kernel_shape", ()))
        return AveragePool(r.node, x, found, bool(r.integer("ceil_mode", 0)), bool(r.integer("count_include_pad", 0)))


@dataclass(frozen=True, eq=False)
class LpPool(Op):
    """p-norm over a window; padding is zero."""

    x: Value
    window: Window
    ceil_mode: bool
    p: int

    @staticmethod
    def decode(r: Reader) -> LpPool:
        x = r.input(0)
        return LpPool(
            r.node, x, window(r, x, r.ints("kernel_shape", ())), bool(r.integer("ceil_mode", 0)), r.integer("p", 2)
        )
