"""Removes operators that do not change their input."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.shape import Expand, Pad, Shape, Slice, Tile, Transpose
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import producer, same_type


class RemoveIdentity(Rule):
    """Removes Identity."""

    name = "remove-identity"
    roots = ("Identity",)
    examples = (Example("float[2] x", "h = Identity(x)  y = Relu(h)", "y = Relu(x)"),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = node.inputs[0]
        if x is None or node.outputs[0].is_graph_output():
            return NOT_HERE
        return [x]


class RemoveSameCast(Rule):
    """Removes a Cast to the type that the value already has."""

    name = "remove-same-cast"
    roots = ("Cast",)
    examples = (
        Example("float[2] x", "h = Cast<to = 1>(x)  y = Relu(h)", "y = Relu(x)"),
        Example("int64[2] x", "y = Cast<to = 1>(x)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = node.inputs[0]
        if x is None or x.dtype is None or int(x.dtype) != Reader(node).integer("to"):
            return NOT_HERE
        return [x]


class RemoveNoOpMovement(Rule):
    """Removes Transpose, Slice, Pad, Expand, Tile, Reshape and Squeeze that leave every element in place."""

    name = "remove-no-op-movement"
    roots = ("Transpose", "Slice", "Pad", "Expand", "Tile", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Concat")
    examples = (
        Example("float[2,3] x", "h = Transpose<perm = [0, 1]>(x)  y = Relu(h)", "y = Relu(x)"),
        Example("float[2,3] x", "h = Transpose<perm = [1, 0]>(x)  y = Relu(h)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = node.inputs[0]
        if x is None or not _is_no_op(node, x):
            return NOT_HERE
        return [x]


def _is_no_op(node: ir.Node, x: ir.Value) -> bool:
    r = Reader(node)
    match node.op_type:
        case "Transpose":
            perm = Transpose.decode(r).perm
            return perm == tuple(range(len(perm)))
        case "Pad":
            pad = Pad.decode(r)
            return pad.begin is not None and not any(pad.begin) and not any(pad.end or ())
        case "Tile":
            repeats = Tile.decode(r).repeats
            return repeats is not None and all(n == 1 for n in repeats)
        case "Slice":
            op = Slice.decode(r)
            forward = op.steps is not None and all(step == 1 for step in op.steps)
            return forward and same_type(x, node.outputs[0])
        case "Expand":
            if Expand.decode(r).shape is None:
                return _is_shape_of(node.inputs[1], x)
            return same_type(x, node.outputs[0])
        case "Concat":
            return len(node.inputs) == 1
        case _:
            return same_type(x, node.outputs[0])


def _is_shape_of(shape: ir.Value | None, x: ir.Value) -> bool:
    """Whether the value is the complete shape of x."""
    maker = producer(shape, "Shape")
    if maker is None or maker.inputs[0] is not x:
        return False
    op = Shape.decode(Reader(maker))
    return (op.start, op.end) == (0, len(x.shape or ()))


class RemoveNeutralOperand(Rule):
    """Removes x + 0, x - 0, x * 1, x / 1 and x ** 1, for scalars and uniform constants."""

    name = "remove-neutral-operand"
    roots = ("Add", "Sub", "Mul", "Div", "Pow")
    examples = (
        Example("float[2] x", "h = Mul(x, one)  y = Relu(h)", "y = Relu(x)", constants="float one = {1}"),
        Example("float[3,2] x", "h = Add(x, z)  y = Relu(h)", "y = Relu(x)", constants="float[2] z = {0, 0}"),
        Example("float[2] x", "h = Sub(zero, x)  y = Relu(h)", None, constants="float zero = {0}"),
        Example("float[1] x", "y = Add(x, z)", None, constants="float[2] z = {0, 0}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        neutral = 0 if node.op_type in ("Add", "Sub") else 1
        a, b = node.inputs[0], node.inputs[1]
        out = node.outputs[0]
        for x, other in ((a, b), (b, a)):
            if x is None or (x is b and node.op_type in ("Sub", "Div", "Pow")):
                continue
            if x.dtype == out.dtype and _keeps_shape(x, other, out) and _is_everywhere(other, neutral):
                return [x]
        return NOT_HERE


def _keeps_shape(x: ir.Value, other: ir.Value | None, out: ir.Value) -> bool:
    """Whether broadcasting with the other operand leaves x's shape unchanged."""
    shape = None if other is None else static_shape(other)
    if shape is None or x.shape is None or len(shape) > len(x.shape):
        return False
    return all(d == 1 for d in shape) or (static_shape(x) is not None and static_shape(x) == static_shape(out))


def _is_everywhere(value: ir.Value | None, number: int) -> bool:
    array = constant(value)
    return array is not None and array.size > 0 and bool((array == number).all())
