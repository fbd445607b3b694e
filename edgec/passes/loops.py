"""Loop unrolling: `Loop` and `Scan` with a known trip count are replaced by copies of their bodies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.control import Loop, Scan
from edgec.passes.constants import fold_spliced
from edgec.passes.rewrite import remove_dead, replace_value
from edgec.passes.splice import label_of, splice

MOST_NODES = 20_000
"""A loop is unrolled only if that makes at most this many nodes."""


def unroll_loop(node: ir.Node) -> str | None:
    """Unroll a Loop; returns the reason if its trip count is not known, else None."""
    op = Loop.decode(Reader(node))
    limit = _limit(op.trip_count, len(op.body))
    if isinstance(limit, str):
        return limit
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    builder = GraphBuilder(graph, [node], "unroll-loop")
    alive: ir.Value = op.condition if op.condition is not None else builder.const(np.asarray(True))
    carried, made = list(op.carried), []
    scanned: list[list[ir.Value]] = [[] for _ in node.outputs[len(carried) :]]
    for step in range(limit + 1):
        known = constant(alive)
        if known is None or step == limit or not known.reshape(-1)[0]:
            break
        number = builder.const(np.asarray(step, dtype=np.int64))
        copy = splice(graph, op.body, [number, alive, *carried], node, f"{label_of(node)}/step{step}")
        made += copy.nodes
        alive, *outputs = fold_spliced(graph, copy.nodes, copy.outputs, node)
        carried = outputs[: len(carried)]
        for found, value in zip(scanned, outputs[len(carried) :], strict=True):
            found.append(value)
    if known is None or (op.trip_count is None and step == limit):
        remove_dead(graph, made[::-1])
        return "its condition depends on data"
    if any(not found for found in scanned):
        return "it collects the results of zero iterations"
    _finish(graph, node, [*carried, *(_stack(found, 0, builder) for found in scanned)], builder)
    return None


def unroll_scan(node: ir.Node) -> str | None:
    """Unroll a Scan; returns the reason if the size of the scanned axis is not known, else None."""
    op = Scan.decode(Reader(node))
    shapes = [static_shape(x) for x in op.scanned]
    if not shapes or any(s is None for s in shapes):
        return "its number of iterations is not known"
    steps = (shapes[0] or ())[op.input_axes[0]]
    if steps == 0 or steps * len(op.body) > MOST_NODES:
        return f"it runs {steps} iterations"
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    builder = GraphBuilder(graph, [node], "unroll-scan")
    carried = list(op.states)
    collected: list[list[ir.Value]] = [[] for _ in op.output_axes]
    for step in range(steps):
        parts = []
        for x, axis, backwards in zip(op.scanned, op.input_axes, op.input_reversed, strict=True):
            parts.append(builder.op("Gather", x, builder.const(steps - 1 - step if backwards else step), axis=axis))
        builder.commit(node)
        builder = GraphBuilder(graph, [node], f"unroll-scan.{step + 1}")
        outputs = splice(graph, op.body, [*carried, *parts], node, f"{label_of(node)}/step{step}").outputs
        carried = outputs[: len(carried)]
        for found, value in zip(collected, outputs[len(carried) :], strict=True):
            found.append(value)
    stacked = [
        _stack(found[::-1] if backwards else found, axis, builder)
        for found, axis, backwards in zip(collected, op.output_axes, op.output_reversed, strict=True)
    ]
    _finish(graph, node, [*carried, *stacked], builder)
    return None


def _limit(trip_count: ir.Value | None, body_nodes: int) -> int | str:
    """The largest number of iterations, or why the loop cannot be unrolled."""
    most = MOST_NODES // max(body_nodes, 1)
    if trip_count is None:
        return most
    known = constant(trip_count)
    if known is None:
        return "its number of iterations depends on data"
    count = int(known.reshape(-1)[0])
    return max(count, 0) if count <= most else f"it runs {count} iterations"


def _stack(values: Sequence[ir.Value], axis: int, g: GraphBuilder) -> ir.Value:
    """Stack the results of all iterations along a new axis."""
    parts = [g.op("Unsqueeze", value, g.ints(axis)) for value in values]
    return parts[0] if len(parts) == 1 else g.op("Concat", *parts, axis=axis)


def _finish(graph: ir.Graph, node: ir.Node, values: Sequence[ir.Value], g: GraphBuilder) -> None:
    g.commit(node)
    for old, new in zip(node.outputs, values, strict=True):
        replace_value(graph, old, new)
    remove_dead(graph, [node])
