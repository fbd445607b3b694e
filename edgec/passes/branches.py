"""Turns `If` into `Where`: both branches are speculated, with safe operands on the side that is not taken."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, is_constant, subgraphs
from edgec.ir.provenance import place_of
from edgec.ops.base import Reader
from edgec.ops.control import If
from edgec.ops.hazards import HAZARDS
from edgec.passes.constants import RANDOM
from edgec.passes.rewrite import remove_dead, replace_value
from edgec.passes.splice import label_of, splice

RULE = "if-to-where"


def take_constant_branch(node: ir.Node) -> bool:
    """If the condition is constant, replace the node by the branch that is taken; returns whether it was."""
    op = If.decode(Reader(node))
    known = constant(op.condition)
    if known is None:
        return False
    branch = op.then_graph if bool(known.reshape(-1)[0]) else op.else_graph
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    _replace(graph, node, splice(graph, branch, (), node, f"{label_of(node)}/taken").outputs)
    return True


def merge_branches(node: ir.Node) -> str | None:
    """Run both branches and select each output; returns the reason if that is not possible, else None."""
    op = If.decode(Reader(node))
    for branch in (op.then_graph, op.else_graph):
        reason = _not_speculatable(branch)
        if reason:
            return reason
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    taken = splice(graph, op.then_graph, (), node, f"{label_of(node)}/then")
    other = splice(graph, op.else_graph, (), node, f"{label_of(node)}/else")
    pairs = list(zip(taken.outputs, other.outputs, strict=True))
    reasons = [reason for a, b in pairs if (reason := _type_mismatch(a, b))]
    if reasons:
        remove_dead(graph, [*other.nodes[::-1], *taken.nodes[::-1]])
        return reasons[0]
    _guard(taken.nodes, op, True)
    _guard(other.nodes, op, False)
    builder = GraphBuilder(graph, [node], RULE)
    selected = [a if a is b else _select(op.condition, a, b, builder) for a, b in pairs]
    builder.commit(node)
    _replace(graph, node, selected)
    return None


def _replace(graph: ir.Graph, node: ir.Node, values: Sequence[ir.Value]) -> None:
    for old, new in zip(node.outputs, values, strict=True):
        replace_value(graph, old, new)
    remove_dead(graph, [node])


def _not_speculatable(branch: ir.Graph) -> str | None:
    """Why a branch must not be speculated, or None. A loop can be: its condition makes it run zero iterations."""
    for inner in branch:
        if inner.op_type in RANDOM:
            return f"a branch draws random numbers with `{inner.op_type}`"
        if inner.op_type == "Scan" or (inner.op_type == "Loop" and len(inner.outputs) > len(inner.inputs) - 2):
            return f"a branch contains a `{inner.op_type}` that collects the results of its iterations"
        reasons = [_not_speculatable(graph) for graph in subgraphs(inner)]
        if any(reasons):
            return next(reason for reason in reasons if reason)
    return None


def _type_mismatch(a: ir.Value, b: ir.Value) -> str | None:
    """Why two values cannot be selected between: both types and shapes must be known and equal."""
    if not isinstance(a.type, ir.TensorType) or not isinstance(b.type, ir.TensorType):
        return "the branches return sequences or optional values"
    same = a.dtype == b.dtype and a.shape is not None and b.shape is not None and list(a.shape) == list(b.shape)
    if same and all(isinstance(d, int) or d.value is not None for d in a.shape or ()):
        return None
    return f"one branch returns {_type_text(a)}, the other {_type_text(b)}"


def _type_text(value: ir.Value) -> str:
    maker = value.producer()
    where = "" if maker is None or not str(place_of(maker)) else f" ({place_of(maker)})"
    dims = "?" if value.shape is None else ", ".join(str(d if isinstance(d, int) else d.value) for d in value.shape)
    dtype = "?" if value.dtype is None else value.dtype.name.lower()
    return f"{dtype}[{dims}]{where}"


def _guard(nodes: Sequence[ir.Node], op: If, side: bool) -> None:
    """Give a safe value to each operand that could fail or overflow while the branch is not taken."""
    graph = op.node.graph
    assert isinstance(graph, ir.Graph)
    for node in nodes:
        if node.op_type == "Loop" and node.domain == "":
            _guard_loop(node, op, side)
        hazard = HAZARDS.get(node.op_type) if node.domain == "" else None
        value = None if hazard is None else node.inputs[hazard.operand]
        if hazard is None or value is None or is_constant(value) or value.dtype is None:
            continue
        builder = GraphBuilder(graph, [node], RULE)
        stand_in = builder.like(hazard.safe, value)
        pair = (value, stand_in) if side else (stand_in, value)
        guarded = _select(op.condition, *pair, builder)
        for made in builder.nodes:  # a nested branch may have guarded the same node under the same name
            made.name = made.outputs[0].name = f"{label_of(op.node)}/guard/{made.name}"
        builder.commit(node)
        node.replace_input_with(hazard.operand, guarded)


def _guard_loop(node: ir.Node, op: If, side: bool) -> None:
    """Make a loop run zero iterations while the branch is not taken: its own condition might never end it there."""
    graph = op.node.graph
    assert isinstance(graph, ir.Graph)
    builder = GraphBuilder(graph, [node], RULE)
    taken = _scalar(op.condition, builder)
    if not side:
        taken = builder.op("Not", taken)
    going = node.inputs[1]
    started = taken if going is None else builder.op("And", _scalar(going, builder), taken)
    for made in builder.nodes:
        made.name = made.outputs[0].name = f"{label_of(op.node)}/guard/{made.name}"
    builder.commit(node)
    node.replace_input_with(1, started)


def _scalar(condition: ir.Value, g: GraphBuilder) -> ir.Value:
    """The condition as a rank-0 tensor."""
    return (
        condition if condition.shape is not None and len(condition.shape) == 0 else g.op("Reshape", condition, g.ints())
    )


def _select(condition: ir.Value, a: ir.Value, b: ir.Value, g: GraphBuilder) -> ir.Value:
    """`Where` with a rank-0 condition, which does not change the rank of the result."""
    return g.op("Where", _scalar(condition, g), a, b)
