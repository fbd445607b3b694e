"""Marks on nodes that the float16 passes exchange: safe in float16 by construction, or kept in float32."""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

_HELD, _WIDE = "edgec.coreml.held", "edgec.coreml.wide"


def held(value: ir.Value) -> ir.Value:
    """Mark a product that stays in range by construction."""
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
