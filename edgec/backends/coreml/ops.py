"""Views of MIL operations that ONNX has no operator for: the private domain of a legalized Core ML graph."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgec.ops.base import Op, Reader, Value
from edgec.ops.table import view

MIL = "edgec.mil"
"""The domain of these operators."""


@dataclass(frozen=True, eq=False)
class SliceUpdate(Op):
    """A copy of x whose elements from `start` (one integer, 0 or more) on along `axis` are those of `update`."""

    x: Value
    update: Value
    start: Value
    axis: int

    @staticmethod
    def decode(r: Reader) -> SliceUpdate:
        """Read a node of the private domain."""
        return SliceUpdate(r.node, r.input(0), r.input(1), r.input(2), r.integer("axis"))


def view_coreml(node: ir.Node) -> Op | None:
    """The view of a node of a legalized Core ML graph."""
    return SliceUpdate.decode(Reader(node)) if node.domain == MIL else view(node)
