"""Calls put into an exported program's graph."""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node
from torch.fx.node import map_arg


def call_before(place: Node, target: Any, *args: Any, **kwargs: Any) -> Node:
    """A call right before `place`: with its place in the user's code, and a value without data as torch's tracer leaves
    it. The keyword arguments hold no nodes.
    """
    with place.graph.inserting_before(place):
        node = place.graph.call_function(target, args, kwargs)
    node.meta = dict(place.meta)
    with torch.no_grad():
        node.meta["val"] = target(*map_arg(args, lambda n: n.meta["val"]), **kwargs)
    return node
