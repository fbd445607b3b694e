"""A graph run piece by piece by ONNX Runtime, so that the values inside it can be looked at.

One session that shows every value takes time that grows with the square of their number, and holds them all at once.
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
"""Nodes of one piece: a session for these opens in some 10 ms."""

_BYTES = 1 << 27
"""Bytes that the nodes of one piece make, a larger node aside."""


def run_nodes(
    model: Model, samples: Sequence[Mapping[str, Array]], wanted: Collection[ir.Value]
) -> Iterator[tuple[ir.Node, Mapping[ir.Value, Array]]]:
    """Each node of the main graph, once for each sample, with arrays of the `wanted` values that it takes and makes.

    Only what leads to them is run, and nothing is rewritten. Raises `EdgecError` E0602 where a kernel is missing.
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
    """Nodes that follow one another: what they take from before, what they show, what is held for the pieces after."""

    nodes: Sequence[ir.Node]
    weights: Sequence[ir.Value]
    taken: Sequence[ir.Value]
    given: Sequence[ir.Value]
    held: Sequence[ir.Value]

    def model(self, whole: Model) -> Model:
        """The piece as a model of its own."""
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
    cuts = _cuts(_leading_to(graph, wanted))
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


def _leading_to(graph: ir.Graph, wanted: Collection[ir.Value]) -> list[ir.Node]:
    """The nodes that make what is wanted, and what those need, in order."""
    needed, nodes = set(wanted), []
    for node in reversed(graph):
        if not needed.isdisjoint(node.outputs):
            nodes.append(node)
            needed.update(_operands(node))
    return nodes[::-1]


def _cuts(nodes: Sequence[ir.Node]) -> list[list[ir.Node]]:
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
    """What a node takes, the values that its subgraphs capture included."""
    return [*(v for v in node.inputs if v is not None), *captured(*subgraphs(node))]


def _bytes(value: ir.Value) -> int:
    """An open dimension counts as 1."""
    if value.shape is None or value.dtype is None:
        return 0
    return int(np.prod([d for d in value.shape if isinstance(d, int)], dtype=np.int64) * value.dtype.itemsize)
