"""The base class of op views, and the reader that decodes a node's inputs and attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgec.diag import Diagnostic, EdgecError, Place, error
from edgec.ir.model import constant, is_constant, static_shape
from edgec.ir.provenance import place_of

Value = ir.Value
Ints = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Op:
    """A frozen, fully decoded view of one node: defaults filled in, negative axes resolved."""

    node: ir.Node

    @property
    def y(self) -> Value:
        """The first output."""
        return self.node.outputs[0]

    @property
    def outputs(self) -> Sequence[Value]:
        """All outputs; an unused optional output has an empty name."""
        return self.node.outputs

    @property
    def place(self) -> Place:
        """Where the node comes from."""
        return place_of(self.node)


class UnknownRankError(EdgecError):
    """A view needs a rank that is not known (yet): rewriting skips such a node, lowering fails."""


class Reader:
    """Reads a node's inputs and attributes with their defaults. Malformed nodes raise `EdgecError` E0301."""

    def __init__(self, node: ir.Node) -> None:
        self.node = node

    def input(self, index: int) -> Value:
        """A required input. Raises E0301 if it is missing."""
        value = self.optional(index)
        if value is None:
            raise self.bad(f"input {index} is missing")
        return value

    def optional(self, index: int) -> Value | None:
        """An optional input; None if absent."""
        return self.node.inputs[index] if index < len(self.node.inputs) else None

    def variadic(self, start: int = 0) -> tuple[Value, ...]:
        """All inputs from `start` on, none of which may be absent."""
        return tuple(self.input(i) for i in range(start, len(self.node.inputs)))

    def has(self, name: str) -> bool:
        """Whether the attribute is given."""
        return name in self.node.attributes

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer attribute."""
        attr = self.node.attributes.get(name)
        if attr is not None:
            return int(attr.as_int())
        if default is None:
            raise self.bad(f"attribute `{name}` is missing")
        return default

    def number(self, name: str, default: float) -> float:
        """A float attribute."""
        attr = self.node.attributes.get(name)
        return default if attr is None else float(attr.as_float())

    def string(self, name: str, default: str) -> str:
        """A string attribute."""
        attr = self.node.attributes.get(name)
        return default if attr is None else attr.as_string()

    def strings(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list-of-strings attribute."""
        attr = self.node.attributes.get(name)
        return default if attr is None else tuple(attr.as_strings())

    def ints(self, name: str, default: Ints) -> Ints:
        """A list-of-integers attribute."""
        attr = self.node.attributes.get(name)
        return default if attr is None else tuple(int(i) for i in attr.as_ints())

    def floats(self, name: str, default: tuple[float, ...]) -> tuple[float, ...]:
        """A list-of-floats attribute."""
        attr = self.node.attributes.get(name)
        return default if attr is None else tuple(attr.as_floats())

    def graph(self, name: str) -> ir.Graph:
        """A graph attribute."""
        if name not in self.node.attributes:
            raise self.bad(f"attribute `{name}` is missing")
        return self.node.attributes[name].as_graph()

    def rank(self, value: Value) -> int:
        """The rank of a value. Raises `UnknownRankError` if it is not known."""
        if value.shape is None:
            message = f"`{self.node.op_type}`: the rank of `{value.name}` is not known"
            raise UnknownRankError(Diagnostic("E0301", message, place_of(self.node)))
        return len(value.shape)

    def axis(self, axis: int, rank: int) -> int:
        """The axis, made non-negative. Raises E0301 if it is out of range."""
        if not -rank <= axis < max(rank, 1):
            raise self.bad(f"axis {axis} is out of range for rank {rank}")
        return axis % rank if rank else 0

    def axes(self, axes: Ints, rank: int) -> Ints:
        """The axes, made non-negative, in the order given."""
        return tuple(self.axis(a, rank) for a in axes)

    def const_ints(self, index: int) -> Ints | None:
        """A constant integer input as a flat tuple; None if absent or not constant."""
        array = constant(self.optional(index))
        return None if array is None else tuple(int(i) for i in np.asarray(array).reshape(-1))

    def const_floats(self, index: int) -> tuple[float, ...] | None:
        """A constant float input as a flat tuple; None if absent or not constant."""
        array = constant(self.optional(index))
        return None if array is None else tuple(float(i) for i in np.asarray(array).reshape(-1))

    def const_scalar(self, index: int) -> int | float | bool | None:
        """A constant input of one element; None if absent, not constant or larger."""
        value = self.optional(index)
        if value is None or not is_constant(value) or static_shape(value) not in {(), (1,)}:
            return None
        array = constant(value)
        assert array is not None
        item: int | float | bool = array.reshape(-1)[0].item()
        return item

    def bad(self, what: str) -> Exception:
        """The error for a node that violates its operator's definition."""
        return error("E0301", f"`{self.node.op_type}`: {what}", place=place_of(self.node))
