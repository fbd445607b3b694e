"""In-place operations of a program that is not functional yet; torch reports mutated buffers only afterwards."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import torch
from torch.fx import Node


def changed_buffers(program: torch.export.ExportedProgram) -> set[str]:
    """The buffers, by path, that an operator of the main graph mutates, directly or through a view."""
    signature = program.graph_signature
    names = {spec.arg.name: spec.target for spec in signature.input_specs if spec.target is not None}
    roots = {root(value) for node in program.graph.nodes for value in written(node)}
    return {names[r.name] for r in roots if r.name in names} | set(signature.buffers_to_mutate.values())


def writes(node: Node) -> bool:
    """Whether the operator mutates one of its operands."""
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def written(node: Node) -> Iterator[Node]:
    """The operands that the operator mutates."""
    if not writes(node):
        return
    for argument, value in zip(node.target._schema.arguments, node.args, strict=False):  # type: ignore[union-attr]
        if argument.alias_info is not None and argument.alias_info.is_write and isinstance(value, Node):
            yield value


def shares(node: Node) -> bool:
    """Whether the result may share the first operand's memory: a view, one of several views, or the operand itself."""
    if node.target is operator.getitem:
        return isinstance(node.args[0], Node) and shares(node.args[0])
    schema = getattr(node.target, "_schema", None)
    return schema is not None and any(r.alias_info is not None for r in schema.returns)


def root(node: Node) -> Node:
    """The tensor whose memory the node's value uses, according to the operators' schemas."""
    first = node.args[0] if node.args and shares(node) else None
    return root(first) if isinstance(first, Node) else node
