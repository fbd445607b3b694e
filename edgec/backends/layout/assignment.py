"""The cheapest assignment of two layouts to the operators of a graph: a minimum cut.

Each operator is a vertex. Those that have the other layout alone are on the source's side, those that have only their
own on the sink's; the rest follow where that moves fewer bytes. Every value whose maker and users disagree is turned
once, which costs what it takes to turn it (Boykov and Kolmogorov, "An experimental comparison of min-cut/max-flow
algorithms", PAMI 26(9), 2004, section 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

import onnx_ir as ir

from edgec.backends.layout.mincut import FlowNetwork


class Side(Enum):
    """What is known of an operator, or of what lies outside the graph, before anything is decided."""

    TURNED = "turned"
    KEPT = "kept"
    EITHER = "either"


End = ir.Node | Side
"""Who makes or takes a value: an operator of the graph, or something whose side is fixed."""


@dataclass(frozen=True)
class Border:
    """A value at which layouts may meet: its maker, its users, and the bytes that turning it moves."""

    maker: End
    users: frozenset[End]
    cost: int


@dataclass(frozen=True)
class Assignment:
    """The operators that are turned, and the bytes that no assignment can save."""

    turned: frozenset[ir.Node]
    bound_bytes: int


def cheapest(sides: Mapping[ir.Node, Side], borders: Iterable[Border]) -> Assignment:
    """The assignment that moves the fewest bytes; among equal ones the one that turns the most operators."""
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
