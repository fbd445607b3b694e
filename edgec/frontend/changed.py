"""Which buffers a program changes, before it is functional: torch lists them only afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.fx import Node


def changed_buffers(program: torch.export.ExportedProgram) -> set[str]:
    """The buffers, by path, that an operator of the main graph writes to, directly or through a view."""
    signature = program.graph_signature
    names = {spec.arg.name: spec.target for spec in signature.input_specs if spec.target is not None}
    roots = {_root(written) for node in program.graph.nodes for written in _written(node)}
    return {names[r.name] for r in roots if r.name in names} | set(signature.buffers_to_mutate.values())


def writes(node: Node) -> bool:
    """Whether the operator changes one of its operands."""
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def _written(node: Node) -> Iterator[Node]:
    if not writes(node):
        return
    for argument, value in zip(node.target._schema.arguments, node.args, strict=False):  # type: ignore[union-attr]
        if argument.alias_info is not None and argument.alias_info.is_write and isinstance(value, Node):
            yield value


def _root(node: Node) -> Node:
    """The tensor whose memory the node's is."""
    schema = getattr(node.target, "_schema", None)
    if schema is None or not any(r.alias_info is not None for r in schema.returns):
        return node
    first = node.args[0] if node.args else None
    return _root(first) if isinstance(first, Node) else node
