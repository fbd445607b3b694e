"""Inserts calls into an exported program's graph."""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node
from torch.fx.node import map_arg

from edgec.diag import Place
from edgec.ir.provenance import frame_of


def call_before(place: Node, target: Any, *args: Any, **kwargs: Any) -> Node:
    """Insert a call before `place`, with its source location and a fake value as in torch's traces. The keyword
    arguments must not contain nodes.
    """
    with place.graph.inserting_before(place):
        node = place.graph.call_function(target, args, kwargs)
    node.meta = dict(place.meta)
    with torch.no_grad():
        node.meta["val"] = target(*map_arg(args, lambda n: n.meta["val"]), **kwargs)
    return node


def place_in_source(node: Node) -> Place:
    """The innermost line of the user's own code that created the node, and the path of its module."""
    modules = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
    return Place(*frame_of(node.meta.get("stack_trace") or ""), (modules[-1] if modules else "") or None)
