"""Replaces a node of an exported program's graph by several operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.fx import Graph, Node

CARRIED = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")
"""The metadata that relates a node to its Python source."""


def spliced(
    graph: Graph, node: Node, traced: torch.fx.GraphModule, known: Mapping[Node, Node]
) -> tuple[Any, list[Node]]:
    """Copy a traced graph before `node`, with its source location. `known` are the nodes for the trace's inputs.

    Returns the results of the trace as new nodes, and the new nodes in order.
    """
    before = set(graph.nodes)
    with graph.inserting_before(node):
        result = graph.graph_copy(traced.graph, dict(known))
    made = [n for n in graph.nodes if n not in before]
    for new in made:
        carry(node, new)
    return result, made


def carry(node: Node, new: Node) -> None:
    """Copy the source location of a node to a new one."""
    new.meta |= {key: node.meta[key] for key in CARRIED if key in node.meta}


def holders(traced: torch.fx.GraphModule) -> list[Node]:
    """The inputs of a trace."""
    return [n for n in traced.graph.nodes if n.op == "placeholder"]
