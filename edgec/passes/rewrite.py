"""The rewrite driver: applies rules to a fixed point."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from math import prod
from typing import ClassVar

import onnx_ir as ir

from edgec.diag import error
from edgec.ir.build import GraphBuilder
from edgec.ir.infer import infer_types
from edgec.ir.model import Model, all_graphs, static_shape
from edgec.ir.provenance import place_of
from edgec.ops.base import UnknownRankError
from edgec.passes.base import Pass
from edgec.passes.remarks import Fired, Missed, Remark
from edgec.rules.base import Miss, Replacement, Rule

_FIRINGS_PER_NODE = 50
"""Firings for each node of the input beyond which a rule set counts as non-terminating."""


class RewritePass(Pass):
    """Tries each rule at each node in topological order, and again around every change, until a fixed point."""

    needs: ClassVar[frozenset[str]] = frozenset({"types"})
    gives: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str, rules: Sequence[Rule]) -> None:
        self.name = name
        self.rules = tuple(rules)
        self._by_root: dict[str, list[Rule]] = {}
        for rule in rules:
            for root in rule.roots:
                self._by_root.setdefault(root, []).append(rule)

    def without(self, disabled: Collection[str]) -> RewritePass:
        """The pass with those rules that are not disabled."""
        return RewritePass(self.name, [rule for rule in self.rules if rule.name not in disabled])

    def run(self, model: Model) -> list[Remark]:
        """Rewrite every graph of the model. Raises `EdgecError` E0301 if the rules do not terminate."""
        remarks: list[Remark] = []
        for graph in all_graphs(model):
            self._run_graph(graph, remarks)
        return remarks

    def _run_graph(self, graph: ir.Graph, remarks: list[Remark]) -> None:
        pending = deque(graph)
        waiting = set(pending)
        budget = _FIRINGS_PER_NODE * (len(pending) + 10)
        while pending:
            node = pending.popleft()
            waiting.discard(node)
            if node.graph is not graph:
                continue
            typed = _newly_typed(node)
            changed = self._try_rules(node, graph, remarks)
            for other in (*typed, *changed):
                if other not in waiting:
                    waiting.add(other)
                    pending.append(other)
            budget -= bool(changed)
            if budget < 0:
                raise error("E0301", f"the rules of `{self.name}` do not terminate", place=place_of(node))

    def _try_rules(self, node: ir.Node, graph: ir.Graph, remarks: list[Remark]) -> list[ir.Node]:
        """Apply the first rule that fires; returns the nodes to visit again."""
        for rule in self._by_root.get(root_of(node), ()):
            builder = GraphBuilder(graph, [node], rule.name)
            result = _apply(rule, node, builder)
            if isinstance(result, Miss):
                builder.discard()
                if result.near:
                    remarks.append(Missed(rule.name, node, result.reason))
                continue
            remarks.append(Fired(rule.name))
            return _commit(graph, node, builder, result)
        return []


def _newly_typed(node: ir.Node) -> list[ir.Node]:
    """Infer the node's types; returns the users of outputs whose type was unknown until now."""
    unknown = [out for out in node.outputs if not _is_known(out)]
    infer_types(node)
    return [use.node for out in unknown if _is_known(out) for use in out.uses() if use.node.graph is node.graph]


def _is_known(value: ir.Value) -> bool:
    return value.dtype is not None and value.shape is not None


def _apply(rule: Rule, node: ir.Node, builder: GraphBuilder) -> Replacement | Miss:
    try:
        found = rule.apply(node, builder)
    except UnknownRankError as unknown:
        return Miss(unknown.diagnostics[0].message)
    if isinstance(found, Miss):
        return found
    return [_reshaped_like(old, new, builder) for old, new in zip(node.outputs, found, strict=True)]


def _reshaped_like(old: ir.Value, new: ir.Value, builder: GraphBuilder) -> ir.Value:
    """Reshape the new value to the old one's shape: a (1, 1) constant taken for a scalar would add a dimension."""
    shape, found = static_shape(old), static_shape(new)
    if shape is None or found is None or found == shape or prod(found) != prod(shape):
        return new
    return builder.op("Reshape", new, builder.ints(*shape))


def root_of(node: ir.Node) -> str:
    """The operator's key in `Rule.roots`: prefixed by its domain unless that is ONNX's own."""
    return node.op_type if node.domain == "" else f"{node.domain}::{node.op_type}"


def _commit(graph: ir.Graph, node: ir.Node, builder: GraphBuilder, values: Sequence[ir.Value]) -> list[ir.Node]:
    """Put the replacement in place and remove what has no users left; returns the nodes to visit again."""
    builder.commit(node)
    neighbours = list(builder.nodes)
    for old, new in zip(node.outputs, values, strict=True):
        neighbours += [use.node for use in old.uses()]
        replace_value(graph, old, new)
    neighbours += remove_dead(graph, [node])
    return [n for n in neighbours if n.graph is graph]


def replace_value(graph: ir.Graph, old: ir.Value, new: ir.Value) -> None:
    """Replace all uses of `old` by `new`; names and types of graph outputs are kept."""
    if new.shape is None and old.shape is not None:
        new.shape = old.shape
    elif new.shape is not None and old.shape is not None:
        _refine(new, old)
    if new.dtype is None:
        new.type = old.type
    if old.is_graph_output():
        _replace_output(graph, old, new)
    old.replace_all_uses_with(new)


def _refine(new: ir.Value, old: ir.Value) -> None:
    """Merge the known dimensions of both shapes into the new value's."""
    assert new.shape is not None
    assert old.shape is not None
    if len(new.shape) != len(old.shape) or new.is_initializer():
        return
    dims = [n if isinstance(n, int) else o for n, o in zip(new.shape, old.shape, strict=True)]
    if dims != list(new.shape):
        new.shape = ir.Shape(dims)


def _replace_output(graph: ir.Graph, old: ir.Value, new: ir.Value) -> None:
    """Keep the output's name: if the new value cannot take it, through an Identity."""
    plain = new.producer() is not None and not new.is_graph_output() and not new.is_graph_input() and new.graph is graph
    name = old.name
    if not plain:
        node = ir.Node("", "Identity", [new], num_outputs=1)
        carrier = node.outputs[0]
        carrier.shape, carrier.type = new.shape, new.type
        graph.append(node)
        new = carrier
    for i, output in enumerate(graph.outputs):
        if output is old:
            graph.outputs[i] = new
    old.name = None
    new.name = name


def remove_dead(graph: ir.Graph, roots: Iterable[ir.Node]) -> list[ir.Node]:
    """Remove nodes without users, then their producers; returns the remaining nodes that lost a user."""
    pending, touched = list(roots), []
    while pending:
        node = pending.pop()
        if node.graph is not graph:
            continue
        if any(out.is_graph_output() or list(out.uses()) for out in node.outputs):
            touched.append(node)
            continue
        inputs = [v for v in node.inputs if v is not None]
        graph.remove(node, safe=True)
        for value in inputs:
            maker = value.producer()
            if maker is not None:
                pending.append(maker)
            elif value.is_initializer() and not list(value.uses()) and not value.is_graph_output():
                graph.initializers.pop(value.name or "", None)
    return touched
