"""Matching helpers for rules: basic queries on the graph around a node."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.model import constant, static_shape


def producer(value: ir.Value | None, op_type: str) -> ir.Node | None:
    """The node that computes the value, if it is the given `ai.onnx` operator, else None."""
    node = None if value is None else value.producer()
    return node if node is not None and node.op_type == op_type and node.domain == "" else None


def only_use(value: ir.Value) -> bool:
    """Whether the value is used by exactly one input of one node, and is not an output of the graph."""
    return len(list(value.uses())) == 1 and not value.is_graph_output()


def is_float(value: ir.Value) -> bool:
    """Whether the value is known to have a floating-point type."""
    return value.dtype is not None and value.dtype.is_floating_point()


def is_wanted(value: ir.Value) -> bool:
    """Whether a node uses the value, or it is an output of the graph."""
    return value.is_graph_output() or next(iter(value.uses()), None) is not None


def scalar(value: ir.Value | None) -> float | None:
    """The number, if the value is a constant of one element, else None."""
    shape = None if value is None else static_shape(value)
    if value is None or shape is None or any(d != 1 for d in shape):
        return None
    array = constant(value)
    return None if array is None else float(array.reshape(-1)[0])


def is_scalar(value: ir.Value | None, number: float, tolerance: float = 1e-6) -> bool:
    """Whether the value is a constant of one element close to `number` (relative `tolerance`)."""
    found = scalar(value)
    return found is not None and abs(found - number) <= tolerance * max(1.0, abs(number))


def with_scalar(node: ir.Node, number: float, tolerance: float = 1e-6) -> ir.Value | None:
    """The other operand of a commutative node with a constant scalar operand close to `number`, or None."""
    for this, other in ((0, 1), (1, 0)):
        if is_scalar(node.inputs[this], number, tolerance):
            return node.inputs[other]
    return None


def operands(node: ir.Node) -> tuple[tuple[ir.Value, ir.Value], tuple[ir.Value, ir.Value]]:
    """Both orders of a commutative node's two operands."""
    a, b = node.inputs[0], node.inputs[1]
    assert a is not None
    assert b is not None
    return (a, b), (b, a)


def same_type(a: ir.Value, b: ir.Value) -> bool:
    """Whether two values have the same known element type and the same static shape."""
    return (
        a.dtype is not None
        and a.dtype == b.dtype
        and static_shape(a) is not None
        and static_shape(a) == static_shape(b)
    )
