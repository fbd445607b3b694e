"""Operators that amplify small errors: discrete decisions and steep functions, which may be wrong in float16."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from edgec.ir.model import Model

_CHOICES = frozenset({"TopK", "ArgMax", "ArgMin"})
_COMPARISONS = frozenset({"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"})
_STEPS = frozenset({"Floor", "Ceil", "Round", "Sign", "Mod", "Cast"})
_STEEP = frozenset({"Acos", "Asin", "Atanh", "Acosh", "Tan"})
_COORDINATES = frozenset({"GridSample"})

_EVIDENCE = {
    **dict.fromkeys(_CHOICES | _COMPARISONS, "nearly equal values may change their order in float16"),
    **dict.fromkeys(_STEPS, "a rounding error may move a value across a step"),
    **dict.fromkeys(_STEEP, "steep at the ends of its domain, which amplifies float16's rounding"),
    **dict.fromkeys(_COORDINATES, "float16 represents a coordinate of 1000 to half a pixel"),
}

_HEAVY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "Attention", "Einsum"})
"""The search for an operand's producers ends here: these accumulate in more than float16."""

_ELEMENTWISE = frozenset({"Add", "Sub", "Mul", "Div", "Min", "Max", "Clip", "Neg", "Abs", "Where", "Cast"})


def decisions(model: Model) -> Iterator[tuple[ir.Node, str]]:
    """Each discrete decision on floats, the producers of its operands, and their other users, each with its evidence.

    Other users: x - floor(x) is wrong if x is rounded between the two.
    """
    for node in model.graph:
        operands = [v for v in node.inputs if v is not None and v.dtype == ir.DataType.FLOAT]
        if node.op_type not in _EVIDENCE or not operands or _is_exact(node):
            continue
        yield node, _EVIDENCE[node.op_type]
        for maker in _makers(operands):
            yield maker, f"computes the operand of `{node.op_type}`: {_EVIDENCE[node.op_type]}"
        for user in _users([*operands, *node.outputs]):
            yield user, f"uses an operand or the result of `{node.op_type}`"


def _is_exact(node: ir.Node) -> bool:
    """Whether it is a cast between float types, which decides nothing."""
    return node.op_type == "Cast" and node.outputs[0].dtype in (ir.DataType.FLOAT, ir.DataType.FLOAT16)


def _makers(values: list[ir.Value]) -> Iterator[ir.Node]:
    """The producers of the values, back to and including the nearest sums of products."""
    pending, seen = list(values), set[ir.Node]()
    while pending:
        node = pending.pop().producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        if node.op_type not in _HEAVY:
            pending += [v for v in node.inputs if v is not None and v.dtype == ir.DataType.FLOAT]


def _users(values: list[ir.Value]) -> Iterator[ir.Node]:
    for value in values:
        for use in value.uses():
            if value.dtype == ir.DataType.FLOAT and use.node.op_type in _ELEMENTWISE:
                yield use.node
