"""Views of MIL operations without an ONNX counterpart: the private domain of a legalized Core ML graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import onnx_ir as ir

from edgec.ops.base import Op, Reader, Value
from edgec.ops.table import view

MIL = "edgec.mil"
"""The domain of these operators."""


@dataclass(frozen=True, eq=False)
class SliceUpdate(Op):
    """A copy of x with `update` written from `start` (one non-negative integer) on along `axis`."""

    x: Value
    update: Value
    start: Value
    axis: int

    @staticmethod
    def decode(r: Reader) -> SliceUpdate:
        """Read a node of the private domain."""
        return SliceUpdate(r.node, r.input(0), r.input(1), r.input(2), r.integer("axis"))


@dataclass(frozen=True, eq=False)
class ChannelNormalization(Op):
    """Layer normalization of x (1, C, 1, N) over axis 1 only; scale and bias (C). ONNX's includes all later axes."""

    x: Value
    scale: Value
    bias: Value | None
    epsilon: float

    @staticmethod
    def decode(r: Reader) -> ChannelNormalization:
        """Read a node of the private domain."""
        return ChannelNormalization(r.node, r.input(0), r.input(1), r.optional(2), r.number("epsilon", 1e-5))


@dataclass(frozen=True, eq=False)
class ChannelProduct(Op):
    """Matrix products over the channels of y: (B, M, H, K) by (B, K, H, N) -> (B, M, H, N)."""

    a: Value
    b: Value

    @staticmethod
    def decode(r: Reader) -> ChannelProduct:
        """Read a node of the private domain."""
        return ChannelProduct(r.node, r.input(0), r.input(1))


_VIEWS: Mapping[str, Callable[[Reader], Op]] = {
    "Einsum": ChannelProduct.decode,
    "LayerNormalization": ChannelNormalization.decode,
    "SliceUpdate": SliceUpdate.decode,
}


def view_coreml(node: ir.Node) -> Op | None:
    """The view of a node of a legalized Core ML graph."""
    return _VIEWS[node.op_type](Reader(node)) if node.domain == MIL else view(node)
