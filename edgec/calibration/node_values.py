"""Runs a graph in pieces with ONNX Runtime, so that its inner values can be observed.

The time of one session that outputs every value grows with the square of their number, and it holds all at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgec.ir.model import Model, captured, subgraphs
from edgec.runners.base import Array
from edgec.runners.onnxruntime import OnnxRuntimeRunner

_NODES = 128
"""Nodes in one piece: opening a session for that many takes about 10 ms."""

_BYTES = 1 << 27
"""Bytes that the nodes of one piece may produce, unless a single node produces more."""


def run_nodes(
    model: Model, samples: Sequence[Mapping[str, Array]], wanted: Collection[ir.Value]
) -> Iterator[tuple[ir.Node, Mapping[ir.Value, Array]]]:
    """Yields each node of the main graph, once for each sample, with arrays of the `wanted` values around it.

    Only nodes that lead to these values run, without optimizations. Raises `EdgecError` E0602 if a kernel is missing.
    """
    held = [{v: sample[v.name or ""] for v in model.graph.inputs if v.name in sample} for sample in samples]
    for piece in _pieces(model.graph, wanted) if held else ():
        with OnnxRuntimeRunner(piece.model(model), optimize=False) as runner:
            for i, before in enumerate(held):
                found = runner.run({v.name or "": before[v] for v in piece.taken})
                values = {**before, **{v: found[v.name or ""] for v in piece.given}}
                for node in piece.nodes:
                    yield node, values
                held[i] = {v: values[v] for v in piece.held}


@dataclass(frozen=True)
class _Piece:
    """Consecutive nodes: the values that they take from earlier pieces, those they give, those kept for later ones."""

    nodes: Sequence[ir.Node]
    weights: Sequence[ir.Value]
    taken: Sequence[ir.Value]
    given: Sequence[ir.Value]
    held: Sequence[ir.Value]

    def model(self, whole: Model) -> Model:
        """The piece as a separate model."""
        graph = ir.GraphView(
            self.taken,
            self.given,
            nodes=self.nodes,
            initializers=self.weights,
            opset_imports=whole.graph.opset_imports,
            name=whole.graph.name,
        )
        return ir.Model(graph.clone(), ir_version=whole.ir_version, functions=list(whole.functions.values()))


def _pieces(graph: ir.Graph, wanted: Collection[ir.Value]) -> list[_Piece]:
    cuts = _partition(_backward_slice(graph, wanted))
    last = {value: i for i, nodes in enumerate(cuts) for node in nodes for value in _operands(node)}
    held: dict[ir.Value, None] = dict.fromkeys(v for v in graph.inputs if v in last)
    pieces = []
    for i, nodes in enumerate(cuts):
        used = dict.fromkeys(v for node in nodes for v in _operands(node))
        made = dict.fromkeys(v for node in nodes for v in node.outputs)
        given = [v for v in made if v in wanted or last.get(v, i) > i]
        taken = [v for v in used if v not in made and not v.is_initializer()]
        held = dict.fromkeys(v for v in (*held, *given) if last.get(v, i) > i)
        pieces.append(_Piece(nodes, [v for v in used if v.is_initializer()], taken, given, list(held)))
    return pieces


def _backward_slice(graph: ir.Graph, wanted: Collection[ir.Value]) -> list[ir.Node]:
    """The nodes that the wanted values depend on, in graph order."""
    needed, nodes = set(wanted), []
    for node in reversed(graph):
        if not needed.isdisjoint(node.outputs):
            nodes.append(node)
            needed.update(_operands(node))
    return nodes[::-1]


def _partition(nodes: Sequence[ir.Node]) -> list[list[ir.Node]]:
    found: list[list[ir.Node]] = []
    size = 0
    for node in nodes:
        made = sum(_bytes(value) for value in node.outputs)
        if not found or len(found[-1]) == _NODES or size + made > _BYTES:
            found.append([])
            size = 0
        found[-1].append(node)
        size += made
    return found


def _operands(node: ir.Node) -> list[ir.Value]:
    """The values that a node uses, including those that its subgraphs capture."""
    return [*(v for v in node.inputs if v is not None), *captured(*subgraphs(node))]


def _bytes(value: ir.Value) -> int:
    """The size of a value; an open dimension counts as 1."""
    if value.shape is None or value.dtype is None:
        return 0
    return int(np.prod([d for d in value.shape if isinstance(d, int)], dtype=np.int64) * value.dtype.itemsize)
