"""Views of control flow."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgec.ops.base import Ints, Op, Reader, Value


@dataclass(frozen=True, eq=False)
class If(Op):
    """Runs one of two graphs. Both capture values from outside and have as many outputs as the node."""

    condition: Value
    then_graph: ir.Graph
    else_graph: ir.Graph

    @staticmethod
    def decode(r: Reader) -> If:
        return If(r.node, r.input(0), r.graph("then_branch"), r.graph("else_branch"))


@dataclass(frozen=True, eq=False)
class Loop(Op):
    """`for` and `while` loops: body(iteration, condition, carried…) -> condition, carried…, scanned…."""

    trip_count: Value | None
    condition: Value | None
    carried: tuple[Value, ...]
    body: ir.Graph

    @staticmethod
    def decode(r: Reader) -> Loop:
        return Loop(r.node, r.optional(0), r.optional(1), r.variadic(2), r.graph("body"))


@dataclass(frozen=True, eq=False)
class Scan(Op):
    """A loop over an axis of its inputs: body(states…, elements…) -> states…, results….

    `input_axes` and `input_reversed` have an entry for each scanned input, `output_axes` and `output_reversed` one for
    each collected output.
    """

    states: tuple[Value, ...]
    scanned: tuple[Value, ...]
    body: ir.Graph
    input_axes: Ints
    input_reversed: tuple[bool, ...]
    output_axes: Ints
    output_reversed: tuple[bool, ...]

    @staticmethod
    def decode(r: Reader) -> Scan:
        values, count = r.variadic(), r.integer("num_scan_inputs")
        states, scanned = values[: len(values) - count], values[len(values) - count :]
        collected = len(r.node.outputs) - len(states)
        body = r.graph("body")
        ranks = [r.rank(x) for x in scanned]
        axes = r.ints("scan_input_axes", (0,) * count)
        results = body.outputs[len(states) :]
        made = [(r.rank(v) + 1 if v.shape is not None else 1) for v in results]
        out_axes = r.ints("scan_output_axes", (0,) * collected)
        return Scan(
            r.node,
            states,
            scanned,
            body,
            tuple(r.axis(a, n) for a, n in zip(axes, ranks, strict=True)),
            tuple(bool(d) for d in r.ints("scan_input_directions", (0,) * count)),
            tuple(r.axis(a, n) for a, n in zip(out_axes, made, strict=True)),
            tuple(bool(d) for d in r.ints("scan_output_directions", (0,) * collected)),
        )
