"""An ML Program as plain data, decoded from its protobuf."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.dtypes import ScalarType


@dataclass(frozen=True)
class TensorType:
    """A tensor's scalar type and shape.

    A dimension of None is known only at run time; if the whole shape is None, so is the rank.
    """

    scalar: ScalarType
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class OtherType:
    """A list, dictionary, tuple or state, as named by `kind`."""

    kind: str


ValueType = TensorType | OtherType
# A constant: a tensor (numpy array), text, or a list of these.
Constant = Array | str | list[Any]


@dataclass(frozen=True)
class Ref:
    """An argument that names a value computed earlier."""

    name: str


@dataclass(frozen=True)
class Immediate:
    """An argument given as a literal."""

    value: Constant


Argument = Ref | Immediate


@dataclass(frozen=True)
class Output:
    """A value's name and declared type."""

    name: str
    type: ValueType


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation. An input that accepts several values has a tuple of them (`values` of `concat`)."""

    type: str
    name: str
    inputs: dict[str, tuple[Argument, ...]]
    attributes: dict[str, Constant]
    outputs: tuple[Output, ...]
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, eq=False)
class Block:
    """A sequence of operations with its own inputs; it can read the values of enclosing blocks."""

    inputs: tuple[Output, ...]
    outputs: tuple[str, ...]
    operations: tuple[Operation, ...]
    # last_use[i] names the values of this block that no operation after i reads, and that are not its outputs.
    last_use: tuple[tuple[str, ...], ...] = field(default=())


@dataclass(frozen=True)
class Function:
    """A function: its inputs in order and its body."""

    name: str
    inputs: tuple[Output, ...]
    body: Block


@dataclass(frozen=True)
class Program:
    """All functions by name."""

    functions: dict[str, Function]
