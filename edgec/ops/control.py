"""Views of control flow."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgec.ops.base import Op, Reader, Value


@dataclass(frozen=True, eq=False)
class If(Op):
    """Runs one of two graphs. Both capture outer values and have as many outputs as the node."""

    condition: Value
    then_graph: ir.Graph
    else_graph: ir.Graph

    @staticmethod
    def decode(r: Reader) -> If:
        return If(r.node, r.input(0), r.graph("then_branch"), r.graph("else_branch"))


@dataclass(frozen=True, eq=False)
class Loop(Op):
    """`for` and `while` in one: body(iteration, condition, carried…) -> condition, carried…, scanned…."""

    trip_count: Value | None
    condition: Value | None
    carried: tuple[Value, ...]
    body: ir.Graph

    @staticmethod
    def decode(r: Reader) -> Loop:
        return Loop(r.node, r.optional(0), r.optional(1), r.variadic(2), r.graph("body"))
