"""What one instruction does, in terms that no backend owns: what predictors of latency look at.

Sizes are elements, not bytes: a unit that computes in float16 moves two bytes for a float32 of the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Operators that cost alike."""

    CONV = "conv"
    GROUPED = "grouped"
    DEPTHWISE = "depthwise"
    CONV3D = "conv3d"
    TRANSPOSED = "transposed"
    LINEAR = "linear"
    MATMUL = "matmul"
    BINARY = "binary"
    UNARY = "unary"
    MATH = "math"
    SOFTMAX = "softmax"
    NORM = "norm"
    REDUCE = "reduce"
    POOL = "pool"
    TRANSPOSE = "transpose"
    COPY = "copy"
    VIEW = "view"
    GATHER = "gather"
    RESIZE = "resize"
    RECURRENT = "recurrent"
    INTEGER = "integer"
    OTHER = "other"


@dataclass(frozen=True)
class Window:
    """Weights of a product: output and input channels of one group, elements of the kernel, groups, rank of the image.

    A matrix product is a window of one element; `space` is then 0.
    """

    out: int
    depth: int
    kernel: int = 1
    groups: int = 1
    space: int = 2


@dataclass(frozen=True)
class Work:
    """One instruction: its kind, multiply-accumulates, elements read and written, constants, and its window.

    `read` leaves out constants, whose elements are `weights`. `bits` is the width of the values that it writes.
    """

    kind: Kind
    macs: int
    read: int
    written: int
    weights: int
    window: Window | None
    bits: int


def kind_of(table: Mapping[Kind, str], op: str) -> Kind:
    """The kind of an operator by a table of names, separated by spaces."""
    return next((kind for kind, names in table.items() if op in names.split()), Kind.OTHER)
