"""Copies subgraphs into the graph around them: branches, and the iterations of loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from edgec.ir.infer import infer_types
from edgec.ir.provenance import inherit


@dataclass(frozen=True)
class Spliced:
    """The nodes of an inserted copy, in order, and the values that replace the subgraph's outputs."""

    nodes: list[ir.Node]
    outputs: list[ir.Value]


def splice(graph: ir.Graph, body: ir.Graph, arguments: Sequence[ir.Value], at: ir.Node, label: str) -> Spliced:
    """Insert a copy of `body` before `at`, with its inputs replaced by `arguments`.

    `label` makes the copy's names unique in `graph`. Copied nodes without a place of their own inherit that of `at`.
    """
    copy = body.clone(allow_outer_scope_values=True)
    outputs, nodes = list(copy.outputs), list(copy)
    formals = dict(zip(copy.inputs, arguments, strict=True))
    copy.outputs.clear()
    for formal, actual in formals.items():
        formal.replace_all_uses_with(actual)
    _move_initializers(copy, graph, label)
    for node in nodes:
        copy.remove(node)
        inherit(node, [at, node], f"{at.op_type.lower()}-body")
        node.name = f"{label}/{node.name or node.op_type}"
        for out in node.outputs:
            if out.name:
                out.name = f"{label}/{out.name}"
    graph.insert_before(at, nodes)
    for node in nodes:
        infer_types(node)
    return Spliced(nodes, [formals.get(value, value) for value in outputs])


def label_of(node: ir.Node) -> str:
    """A name unique in the graph: that of the node's first output."""
    return next((out.name for out in node.outputs if out.name), node.name or node.op_type)


def _move_initializers(source: ir.Graph, graph: ir.Graph, label: str) -> None:
    for name, value in list(source.initializers.items()):
        del source.initializers[name]
        value.name = f"{label}/{name}"
        graph.initializers[value.name] = value
