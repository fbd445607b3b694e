"""What passes for float16 say to each other of a node: it holds in float16 by how it was made, or stays in float32."""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

_HELD, _WIDE = "edgec.coreml.held", "edgec.coreml.wide"


def held(value: ir.Value) -> ir.Value:
    """Mark a product whose operands keep it in range."""
    node = value.producer()
    assert node is not None
    node.meta[_HELD] = True
    return value


def is_held(node: ir.Node) -> bool:
    """Whether `held` marked the node."""
    return _HELD in node.meta


def keep_wide(nodes: Iterable[ir.Node]) -> None:
    """Mark nodes that stay in float32."""
    for node in nodes:
        node.meta[_WIDE] = True


def is_wide(node: ir.Node) -> bool:
    """Whether `keep_wide` marked the node."""
    return _WIDE in node.meta
