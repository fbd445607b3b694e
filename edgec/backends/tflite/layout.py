"""Layout assignment: which operators run channels-last, decided for the whole graph as a minimum cut.

Convolutions, pools and resizes have only channels-last kernels; reshapes and matrix products keep the source's
layout; elementwise operators, reductions, concatenations and similar ones support either. A value whose producer and
user disagree is transposed once; the assignment is the cheapest (`edgec.backends.layout`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from edgec.backends.layout.assignment import Assignment, Border, End, Side, cheapest
from edgec.backends.tflite.legality.windows import takes_only_nhwc
from edgec.backends.tflite.ops import NHWC
from edgec.backends.tflite.permute import FLEXIBLE, can_permute, is_data, permuted_node
from edgec.ir.model import Model, all_graphs, all_nodes, captured, is_constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.shape import Transpose
from edgec.passes.base import Pass
from edgec.passes.deadcode import DeadCode
from edgec.passes.remarks import Decided, Remark


@dataclass(frozen=True)
class LayoutMoves(Decided):
    """The transposes in the final graph, and the bytes that they move per run.

    `bound_bytes` is the cut's value: no assignment of layouts moves less.
    """

    section: ClassVar[str] = "layout"
    transposes: int
    moved_bytes: int
    bound_bytes: int


_BOUND = "edgec.layout-bound"
"""The key under which the model keeps the cut's value between the two passes."""


class AssignLayouts(Pass):
    """Assigns the cheapest layouts.

    `last` names inputs and outputs that become channels-last, and so cost nothing for channels-last users.
    """

    name = "layout"
    gives: ClassVar[frozenset[str]] = frozenset({"layouts"})

    def __init__(self, last: Collection[str] = ()) -> None:
        self.last = last

    def run(self, model: Model) -> list[Remark]:
        """Assigns the layouts of each graph separately."""
        graphs = list(all_graphs(model))
        model.meta[_BOUND] = sum(_assign(graph, self.last if graph is model.graph else ()) for graph in graphs)
        return DeadCode().run(model)


class CountMoves(Pass):
    """Counts the cost of the layouts after cleanup, without changes."""

    name = "layout-moves"
    needs: ClassVar[frozenset[str]] = frozenset({"layouts"})

    def run(self, model: Model) -> list[Remark]:
        """Counts the transposes of static shape."""
        nodes = (node for node in all_nodes(model) if node.op_type == "Transpose")
        found = [node for node in nodes if static_shape(node.outputs[0]) is not None]
        moved = sum(_bytes(node.outputs[0]) for node in found)
        return [LayoutMoves(len(found), moved, model.meta[_BOUND])]


def _assign(graph: ir.Graph, last: Collection[str]) -> int:
    """Assign the layouts of one graph; inputs and outputs of subgraphs keep theirs. Returns the cut's value."""
    nodes = list(graph)
    chosen = _choose(nodes, graph, last)
    rewriter = _Rewriter(graph)
    rewriter.turn_inputs(last)
    for node in nodes:
        if node in chosen.turned:
            rewriter.rewrite(node)
    rewriter.turn_outputs(last)
    return chosen.bound_bytes


def _choose(nodes: list[ir.Node], graph: ir.Graph, interface: Collection[str]) -> Assignment:
    """The nodes that run channels-last."""
    sides = {node: _side(node) for node in nodes}
    given = [*graph.inputs, *(v for v in captured(graph) if not is_constant(v))]
    values = [*given, *(out for node in nodes for out in node.outputs)]
    return cheapest(sides, [_border(value, sides, interface) for value in values if _is_spatial(value)])


def _side(node: ir.Node) -> Side:
    if takes_only_nhwc(node):
        return Side.TURNED
    flexible = node.op_type in FLEXIBLE and node.domain == "" and can_permute(node)
    return Side.EITHER if flexible else Side.KEPT


def _border(value: ir.Value, sides: Collection[ir.Node], interface: Collection[str]) -> Border:
    uses = [use for use in value.uses() if use.node in sides and is_data(use.node, use.idx)]
    users: set[End] = {Side.TURNED if _turns(use.node, channels_last) else use.node for use in uses}
    outside = Side.TURNED if value.name in interface else Side.KEPT
    if value.is_graph_output():
        users.add(outside)
    maker = value.producer()
    if maker is None or maker not in sides:
        return Border(outside, frozenset(users), _bytes(value))
    return Border(Side.TURNED if _turns(maker, channels_first) else maker, frozenset(users), _bytes(value))


def _turns(node: ir.Node, permutation: Callable[[int], list[int]]) -> bool:
    """Whether the node is a transpose that cancels with the layout's: it costs nothing there."""
    if node.op_type != "Transpose" or node.domain != "":
        return False
    perm = list(Transpose.decode(Reader(node)).perm)
    return len(perm) in (4, 5) and perm == permutation(len(perm))


def _is_spatial(value: ir.Value) -> bool:
    return value.shape is not None and len(value.shape) in (4, 5)


def _bytes(value: ir.Value) -> int:
    """The size of the value in bytes; a dynamic dimension counts as 1."""
    dims = [d if isinstance(d, int) else 1 for d in value.shape or ()]
    return int(np.prod(dims, dtype=np.int64) * (value.dtype.itemsize if value.dtype is not None else 4))


def channels_last(rank: int) -> list[int]:
    """The permutation from (N, C, spatial…) to (N, spatial…, C)."""
    return [0, *range(2, rank), 1]


def channels_first(rank: int) -> list[int]:
    """The permutation from (N, spatial…, C) to (N, C, spatial…)."""
    return [0, rank - 1, *range(1, rank - 1)]


@dataclass
class _Rewriter:
    """Replaces chosen nodes by channels-last ones, with transposes between different layouts."""

    graph: ir.Graph
    _last: dict[ir.Value, ir.Value] = field(default_factory=dict)

    def rewrite(self, node: ir.Node) -> None:
        """Replace `node` by a channels-last one."""
        inputs = [
            self._channels_last(v, node) if self._needs(v) and is_data(node, i) else v
            for i, v in enumerate(node.inputs)
        ]
        new = permuted_node(node, inputs, self.graph)
        if takes_only_nhwc(node):
            new.domain = NHWC
        self.graph.insert_before(node, new)
        for old, out in zip(node.outputs, new.outputs, strict=True):
            self._connect(old, out, node)
        self.graph.remove(node, safe=True)

    def turn_inputs(self, names: Collection[str]) -> None:
        """Make the named inputs channels-last, with a transpose for users that need the other layout."""
        for value in self.graph.inputs:
            if value.name not in names:
                continue
            users, rank = list(value.uses()), len(value.shape or ())
            value.shape = ir.Shape([(value.shape or ())[i] for i in channels_last(rank)])
            if not users:
                continue
            back = self._transpose(value, channels_first, next(iter(self.graph)))
            for use in users:
                use.node.replace_input_with(use.idx, back)
            self._last[back] = value

    def turn_outputs(self, names: Collection[str]) -> None:
        """Make the named outputs channels-last, with their names kept. (One that is also an input is handled there.)"""
        for i, value in enumerate(self.graph.outputs):
            if value.name not in names or value.is_graph_input():
                continue
            name, last = value.name, self._last.get(value)
            if last is None or last.is_graph_input() or last.is_graph_output():
                last = self._transpose(value, channels_last, None)
            self.graph.outputs[i] = last
            value.name = f"{name}/nchw"
            last.name = name

    def _needs(self, value: ir.Value | None) -> bool:
        return value is not None and _is_spatial(value) and not is_constant(value)

    def _channels_last(self, value: ir.Value | None, before: ir.Node) -> ir.Value:
        """The channels-last version of the value: an existing one, or a transpose, once for all users."""
        assert value is not None
        if value not in self._last:
            self._last[value] = self._transpose(value, channels_last, before)
        return self._last[value]

    def _connect(self, old: ir.Value, new: ir.Value, node: ir.Node) -> None:
        """Replace the uses of `old` by `new`; users of the other layout get a transpose when they are reached."""
        new.type = old.type
        if not _is_spatial(old):
            new.shape = old.shape
            self._take_over(old, new)
            return
        rank = len(old.shape or ())
        if new.shape is None:
            new.shape = ir.Shape([(old.shape or ())[i] for i in channels_last(rank)])
        back = self._transpose(new, channels_first, node)
        self._last[back] = new
        self._take_over(old, back)
        new.name = f"{back.name}/nhwc"

    def _take_over(self, old: ir.Value, new: ir.Value) -> None:
        name = old.name
        for i, output in enumerate(self.graph.outputs):
            if output is old:
                self.graph.outputs[i] = new
        old.replace_all_uses_with(new)
        old.name = None
        new.name = name

    def _transpose(self, value: ir.Value, permutation: object, before: ir.Node | None) -> ir.Value:
        """A transpose before a node, or at the end of the graph."""
        rank = len(value.shape or ())
        perm = channels_last(rank) if permutation is channels_last else channels_first(rank)
        node = ir.node("Transpose", [value], {"perm": perm})
        out = node.outputs[0]
        out.shape = ir.Shape([(value.shape or ())[i] for i in perm])
        out.type = value.type
        out.name = f"{value.name}/{'nhwc' if permutation is channels_last else 'nchw'}"
        if before is None:
            self.graph.append(node)
            return out
        self.graph.insert_before(before, node)
        node.metadata_props.update(before.metadata_props)
        return out
