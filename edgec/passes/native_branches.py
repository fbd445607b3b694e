"""Turns selections back into branches (`If`), for targets that execute only the side that is taken.

In the canonical form, every branch is a `Where` on a rank-0 condition, with both sides computed. The nodes that only
one side needs move into its subgraph; the result is the same, since nothing else uses them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import Model, is_constant, static_shape, subgraphs
from edgec.ir.provenance import inherit
from edgec.passes.base import OptionalPass
from edgec.passes.constants import RANDOM
from edgec.passes.deadcode import DeadCode
from edgec.passes.remarks import Remark, fired
from edgec.passes.rewrite import remove_dead, replace_value
from edgec.passes.splice import label_of
from edgec.rules.match import producer


@dataclass(frozen=True)
class Selection:
    """A node whose output is `yes` if the condition holds, else `no`; `parts` are the nodes that make the selection."""

    node: ir.Node
    condition: ir.Value
    yes: ir.Value
    no: ir.Value
    parts: tuple[ir.Node, ...]

    def side(self, taken: bool) -> ir.Value:
        """The value selected on one side."""
        return self.yes if taken else self.no


class SelectionsToIf(OptionalPass):
    """`Where` on a rank-0 condition becomes `If`, provided that some nodes are needed on one side only."""

    name = "selections-to-if"
    needs: ClassVar[frozenset[str]] = frozenset({"types"})
    gives: ClassVar[frozenset[str]] = frozenset()

    def run(self, model: Model) -> list[Remark]:
        """In the main graph, in loops, and in the new branches."""
        made = self._graph(model.graph)
        return [*fired(self.name, made), *DeadCode().run(model)]

    def _graph(self, graph: ir.Graph) -> int:
        """Last selection first: selections that only it depends on then move inside its branches. Returns the count."""
        made = 0
        tried: set[ir.Node] = set()
        while (chosen := _last_selection(graph, tried)) is not None:
            group = _mergeable_selections(graph, chosen)
            tried |= {s.node for s in group}
            cones = {side: _cone(graph, group, side) for side in (True, False)}
            if any(cones.values()):
                _build_if(graph, group, cones)
                made += 1
        for node in list(graph):
            for inner in subgraphs(node):
                made += self._graph(inner)
        return made


def _last_selection(graph: ir.Graph, tried: set[ir.Node]) -> Selection | None:
    for node in reversed(list(graph)):
        if node not in tried and (found := _selection(node)) is not None:
            return found
    return None


def _selection(node: ir.Node) -> Selection | None:
    """The node as a selection by a rank-0 condition, or None. Booleans are selected by logical operators."""
    if node.domain != "" or static_shape(node.outputs[0]) is None:
        return None
    if node.op_type == "Or":
        return _logical_selection(node)
    if node.op_type != "Where":
        return None
    condition, yes, no = node.inputs
    if condition is None or yes is None or no is None or is_constant(condition) or static_shape(condition) != ():
        return None
    return _without_negation(Selection(node, condition, yes, no, (node,)))


def _logical_selection(node: ir.Node) -> Selection | None:
    """Matches Or(And(c, a), And(Not(c), b))."""
    ands = [producer(v, "And") for v in node.inputs]
    if ands[0] is None or ands[1] is None:
        return None
    for first, second in (ands, ands[::-1]):
        assert first is not None
        assert second is not None
        for i in (0, 1):
            for j in (0, 1):
                condition, negated = first.inputs[i], producer(second.inputs[j], "Not")
                yes, no = first.inputs[1 - i], second.inputs[1 - j]
                if condition is None or yes is None or no is None or negated is None or is_constant(condition):
                    continue
                if negated.inputs[0] is condition and static_shape(condition) == ():
                    return _without_negation(Selection(node, condition, yes, no, (node, first, second)))
    return None


def _without_negation(found: Selection) -> Selection:
    """The same selection by the operand of `Not` if the condition is negated."""
    negated = producer(found.condition, "Not")
    if negated is None or negated.inputs[0] is None:
        return found
    return Selection(found.node, negated.inputs[0], found.no, found.yes, found.parts)


def _mergeable_selections(graph: ir.Graph, last: Selection) -> list[Selection]:
    """The selections by the same condition that one `If` can replace: none depends on another's result."""
    group, needed = [last], _ancestors(graph, last.node)
    for node in reversed(list(graph)):
        if node is last.node or node in needed:
            continue
        found = _selection(node)
        if found is None or found.condition is not last.condition:
            continue
        before = _ancestors(graph, node)
        if not any(s.node in before for s in group):
            group.append(found)
            needed |= before
    return group[::-1]


def _ancestors(graph: ir.Graph, node: ir.Node) -> set[ir.Node]:
    """The nodes of the graph that a node depends on, through subgraphs too."""
    found: set[ir.Node] = set()
    pending = [node]
    while pending:
        for value in _used_values(pending.pop()):
            maker = value.producer()
            if maker is not None and maker.graph is graph and maker not in found:
                found.add(maker)
                pending.append(maker)
    return found


def _used_values(node: ir.Node) -> Iterator[ir.Value]:
    """The values that a node uses, in its subgraphs too."""
    yield from (v for v in node.inputs if v is not None)
    for inner in subgraphs(node):
        yield from inner.outputs
        for nested in inner:
            yield from _used_values(nested)


def _cone(graph: ir.Graph, group: Sequence[Selection], side: bool) -> list[ir.Node]:
    """The nodes that only this side of the selections needs, in graph order."""
    owners = _owners(graph)
    sides = {id(s.side(side)) for s in group}
    parts = {part for s in group for part in s.parts}
    found: set[ir.Node] = set()
    order = list(graph)
    for node in reversed(order):
        if node in parts or node.op_type in RANDOM or any(out.is_graph_output() for out in node.outputs):
            continue
        users = [(use.node, out) for out in node.outputs for use in out.uses()]
        if users and all(
            owners.get(user) in found or (user in parts and id(out) in sides and _only_side(out, group, side))
            for user, out in users
        ):
            found.add(node)
    return [node for node in order if node in found]


def _only_side(value: ir.Value, group: Sequence[Selection], side: bool) -> bool:
    """Whether the value is neither the condition nor selected by the other side."""
    return all(value is not s.condition and value is not s.side(not side) for s in group)


def _owners(graph: ir.Graph) -> dict[ir.Node, ir.Node]:
    """Maps each node, nested ones too, to the node of the graph that contains it."""
    found: dict[ir.Node, ir.Node] = {}

    def note(node: ir.Node, owner: ir.Node) -> None:
        found[node] = owner
        for inner in subgraphs(node):
            for nested in inner:
                note(nested, owner)

    for node in graph:
        note(node, node)
    return found


def _build_if(graph: ir.Graph, group: Sequence[Selection], cones: dict[bool, list[ir.Node]]) -> None:
    """Replace the selections by one `If`."""
    last = group[-1].node
    branches = {side: _branch(graph, group, cones[side], side) for side in (True, False)}
    node = ir.node(
        "If",
        [group[0].condition],
        {"then_branch": branches[True], "else_branch": branches[False]},
        num_outputs=len(group),
    )
    node.name = f"{label_of(last)}/if"
    inherit(node, [s.node for s in group], SelectionsToIf.name)
    graph.insert_after(last, node)
    for i, (selection, out) in enumerate(zip(group, node.outputs, strict=True)):
        old = selection.node.outputs[0]
        out.name, out.type, out.shape = f"{node.name}.{i}", old.type, old.shape
        replace_value(graph, old, out)
    remove_dead(graph, [s.node for s in group])
    graph.sort()


def _branch(graph: ir.Graph, group: Sequence[Selection], nodes: Sequence[ir.Node], side: bool) -> ir.Graph:
    """One side as a graph: the nodes that only it needs, and one output for each selection."""
    for node in nodes:
        graph.remove(node)
    branch = ir.Graph([], [], nodes=nodes, name=f"{label_of(group[-1].node)}/{'then' if side else 'else'}")
    _substitute_condition(branch, group[0].condition, side)
    made = {out for node in branch for out in node.outputs}
    for selection in group:
        value = selection.side(side)
        if value not in made or value in list(branch.outputs) or not _has_shape_of(value, selection.node.outputs[0]):
            value = _branch_output(branch, value, selection, side)
        branch.outputs.append(value)
    return branch


def _has_shape_of(value: ir.Value, result: ir.Value) -> bool:
    return static_shape(value) == static_shape(result)


def _branch_output(branch: ir.Graph, value: ir.Value, selection: Selection, side: bool) -> ir.Value:
    """An output of the branch for a value from outside, one that is an output already, or one to be broadcast."""
    result = selection.node.outputs[0]
    builder = GraphBuilder(branch, [selection.node], f"{'then' if side else 'else'}-value")
    if _has_shape_of(value, result):
        out = builder.op("Identity", value)
    else:
        out = builder.op("Expand", value, builder.ints(*(static_shape(result) or ())))
    out.type, out.shape = result.type, result.shape
    branch.extend(builder.nodes)
    return out


def _substitute_condition(graph: ir.Graph, condition: ir.Value, side: bool) -> None:
    """Replace the condition by its value, which is known inside the branch."""
    known = _bool_constant(graph, condition, side)
    for node in list(graph):
        for inner in subgraphs(node):
            _substitute_condition(inner, condition, side)
        for i, value in enumerate(node.inputs):
            negated = producer(value, "Not")
            if value is condition:
                node.replace_input_with(i, known)
            elif negated is not None and negated.inputs[0] in (condition, known):
                node.replace_input_with(i, _bool_constant(graph, condition, not side))


def _bool_constant(graph: ir.Graph, condition: ir.Value, truth: bool) -> ir.Value:
    """A boolean constant in the graph, created on first use."""
    name = f"{condition.name}/{'true' if truth else 'false'}/{graph.name}"
    if name not in graph.initializers:
        tensor = ir.Tensor(np.asarray(truth), name=name)
        graph.initializers[name] = ir.Value(
            name=name, shape=ir.Shape([]), type=ir.TensorType(ir.DataType.BOOL), const_value=tensor
        )
    return graph.initializers[name]
