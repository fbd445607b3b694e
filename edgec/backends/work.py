"""The work of one instruction in terms that all backends share: the input of the latency predictors.

Sizes are in elements, not bytes: a unit that computes in float16 moves two bytes for a float32 of the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Classes of operators with similar cost."""

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
    """The weights of a product: output and input channels of one group, kernel elements, groups, spatial rank.

    A matrix product has a kernel of one element, and `space` 0.
    """

    out: int
    depth: int
    kernel: int = 1
    groups: int = 1
    space: int = 2


@dataclass(frozen=True)
class Work:
    """One instruction: its kind, multiply-accumulates, elements read and written, constants, and its window.

    `read` excludes constants, whose elements are `weights`. `bits` is the width of the values that it writes.
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
