"""The cheapest assignment of two layouts to the operators of a graph, as a minimum cut.

Each operator is a vertex. Operators that support only the other layout are tied to the source, those that support only
the original one to the sink; the rest go where fewer bytes move. A value whose producer and consumers disagree is
transposed once, at the cost of the bytes that this moves (Boykov and Kolmogorov, "An experimental comparison of
min-cut/max-flow algorithms", PAMI 26(9), 2004, section 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

import onnx_ir as ir

from edgec.backends.layout.mincut import FlowNetwork


class Side(Enum):
    """The layouts that an operator, or an end outside the graph, supports."""

    TURNED = "turned"
    KEPT = "kept"
    EITHER = "either"


End = ir.Node | Side
"""A producer or consumer of a value: an operator of the graph, or an end outside whose side is fixed."""


@dataclass(frozen=True)
class Border:
    """A value between operators: its producer, its consumers, and the bytes that transposing it moves."""

    maker: End
    users: frozenset[End]
    cost: int


@dataclass(frozen=True)
class Assignment:
    """The operators in the other layout, and the value of the cut: the bytes that the assignment moves."""

    turned: frozenset[ir.Node]
    bound_bytes: int


def cheapest(sides: Mapping[ir.Node, Side], borders: Iterable[Border]) -> Assignment:
    """The assignment that moves the fewest bytes; among equal ones, the one with the most in the other layout."""
    network = FlowNetwork()
    vertex: dict[End, int] = {Side.TURNED: network.source, Side.KEPT: network.sink}
    for node, side in sides.items():
        vertex[node] = network.vertex()
        if side is Side.TURNED:
            network.infinite(network.source, vertex[node])
        elif side is Side.KEPT:
            network.infinite(vertex[node], network.sink)
    for border in borders:
        network.disagreement(vertex[border.maker], {vertex[user] for user in border.users}, border.cost)
    turned, bound = network.minimum_cut()
    return Assignment(frozenset(node for node in sides if vertex[node] in turned), bound)
