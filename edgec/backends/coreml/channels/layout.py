"""Which operators run on channels-first tokens, decided for the whole graph as a minimum cut.

Projections and attention want the layout; normalizations, elementwise operators and data movement follow where that
saves transposes; all others keep theirs. A value whose producer and user disagree is transposed once, at the cost of
its bytes; the assignment is the cheapest (`edgec.backends.layout`).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import onnx_ir as ir

from edgec.backends.coreml.channels.layout_rules import LayoutRule, has_tokens, layout_rule_of, turned_operands
from edgec.backends.coreml.channels.maker import Maker, Turned, makes_image, shape_of, turning_bytes
from edgec.backends.layout.assignment import Border, End, Side, cheapest
from edgec.ir.model import Model
from edgec.ops.base import Value
from edgec.passes.deadcode import DeadCode
from edgec.passes.rewrite import replace_value


@dataclass(frozen=True)
class Turning:
    """The result of the pass: the operators that run channels-first, and the old name of each new value."""

    operators: int
    names: dict[str, str]


def turn_tokens(model: Model) -> Turning:
    """Rewrite the main graph, in place, to channels-first tokens where that pays."""
    graph = model.graph
    forms = {node: form for node in graph if (form := layout_rule_of(node)) is not None}
    chosen = _choose(graph, forms)
    if not chosen:
        return Turning(0, {})
    turned = Turned(graph)
    for node in [n for n in graph if n in chosen]:
        maker = Maker(node, turned)
        maker.finish(list(zip(node.outputs, forms[node].make(node, maker), strict=False)))
    names = {new.name or "": old.name or "" for old, new in turned.of.items()}
    for node in [n for n in graph if n in chosen]:
        _give_back(node, chosen, turned)
    DeadCode().run(model)
    return Turning(len(chosen), names)


def _choose(graph: ir.Graph, forms: dict[ir.Node, LayoutRule]) -> set[ir.Node]:
    """The nodes that get the layout; none if no operator wants it."""
    if not any(form.seeks for form in forms.values()):
        return set()
    sides = {node: _side(forms.get(node)) for node in graph}
    values = [*graph.inputs, *(out for node in graph for out in node.outputs)]
    return set(cheapest(sides, [_border(value, forms) for value in values if has_tokens(value)]).turned)


def _side(form: LayoutRule | None) -> Side:
    if form is None:
        return Side.KEPT
    return Side.TURNED if form.seeks else Side.EITHER


def _border(value: Value, forms: Container[ir.Node]) -> Border:
    users: set[End] = {Side.KEPT} if value.is_graph_output() else set()
    for use in value.uses():
        if not makes_image(use.node):
            users.add(use.node if _turns(use.node, value, forms) else Side.KEPT)
    return Border(value.producer() or Side.KEPT, frozenset(users), turning_bytes(value))


def _turns(node: ir.Node, value: Value, within: Container[ir.Node]) -> bool:
    """Whether the node is one of those and reads the value in the channels-first layout."""
    return node in within and any(v is value for v in turned_operands(node))


def _give_back(node: ir.Node, chosen: set[ir.Node], turned: Turned) -> None:
    """Give the other users a chosen node's outputs in the original layout; for an image that is only a reshape."""
    for old in node.outputs:
        if old not in turned.of:
            continue
        maker = Maker(node, turned)
        for user in {use.node: None for use in old.uses() if makes_image(use.node) and use.node not in chosen}:
            image = maker.reshape(turned.of[old], shape_of(user.outputs[0]))
            replace_value(turned.graph, user.outputs[0], image)
        stays = [use for use in old.uses() if not _turns(use.node, old, chosen) and not makes_image(use.node)]
        new = maker.back(old) if stays or old.is_graph_output() else None
        maker.g.commit(node)
        if new is not None:
            replace_value(turned.graph, old, new)
