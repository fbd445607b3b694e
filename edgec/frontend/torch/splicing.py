"""Operators put into an exported program's graph, in the place of a node that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.fx import Graph, Node

CARRIED = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")
"""What a node knows of the Python that it came from."""


def spliced(
    graph: Graph, node: Node, traced: torch.fx.GraphModule, known: Mapping[Node, Node]
) -> tuple[Any, list[Node]]:
    """A copy of a traced graph before `node`, as from its line. `known` gives the nodes for the trace's own inputs.

    What the trace returns, by its new nodes, and these nodes in order.
    """
    before = set(graph.nodes)
    with graph.inserting_before(node):
        result = graph.graph_copy(traced.graph, dict(known))
    made = [n for n in graph.nodes if n not in before]
    for new in made:
        carry(node, new)
    return result, made


def carry(node: Node, new: Node) -> None:
    """Let a new node come from where another one does."""
    new.meta |= {key: node.meta[key] for key in CARRIED if key in node.meta}


def holders(traced: torch.fx.GraphModule) -> list[Node]:
    """The inputs of a trace."""
    return [n for n in traced.graph.nodes if n.op == "placeholder"]
