"""Merges chains of transposes and reshapes."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.ops.shape import Transpose
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import producer


class MergeTransposes(Rule):
    """Transpose(Transpose(x)) -> Transpose(x)."""

    name = "merge-transposes"
    roots = ("Transpose",)
    examples = (
        Example(
            "float[2,3,4] x",
            "h = Transpose<perm = [1, 0, 2]>(x)  y = Transpose<perm = [0, 2, 1]>(h)",
            "y = Transpose<perm = [1, 2, 0]>(x)",
            output="float",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        inner = producer(node.inputs[0], "Transpose")
        if inner is None or inner.inputs[0] is None:
            return NOT_HERE
        first, second = Transpose.decode(Reader(inner)).perm, Transpose.decode(Reader(node)).perm
        perm = [first[i] for i in second]
        x = inner.inputs[0]
        if perm == list(range(len(perm))) and not node.outputs[0].is_graph_output():
            return [x]
        return [g.op("Transpose", x, perm=perm)]


_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


class MergeReshapes(Rule):
    """Reshape(Reshape(x)) -> Reshape(x), also for Flatten, Squeeze and Unsqueeze (static shapes)."""

    name = "merge-reshapes"
    roots = _RESHAPES
    examples = (
        Example(
            "float[2,3,4] x",
            "h = Flatten<axis = 1>(x)  y = Reshape(h, s)",
            "y = Reshape(x, s)",
            constants="int64[2] s = {4, 6}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = node.inputs[0]
        inner = next((p for op in _RESHAPES if (p := producer(x, op)) is not None), None)
        shape = static_shape(node.outputs[0])
        if inner is None or shape is None or inner.inputs[0] is None:
            return NOT_HERE
        if 0 in shape:
            return Miss("a dimension is zero")
        return [g.op("Reshape", inner.inputs[0], g.ints(*shape))]


class ReshapeThroughUnits(Rule):
    """Reshape of a Transpose that moves only dimensions of size 1, or such a Transpose of a Reshape -> Reshape."""

    name = "reshape-through-units"
    roots = ("Reshape", "Transpose")
    examples = (
        Example(
            "float[3,2,1,4] x",
            "h = Transpose<perm = [0, 2, 1, 3]>(x)  y = Reshape(h, s)",
            "y = Reshape(x, s)",
            constants="int64[2] s = {3, 8}",
        ),
        Example(
            "float[3,2,4] x",
            "h = Reshape(x, s)  y = Transpose<perm = [1, 0, 2]>(h)",
            "y = Reshape(x, t)",
            constants="int64[3] s = {3, 1, 8}",
        ),
        Example(
            "float[3,2,2,4] x",
            "h = Transpose<perm = [0, 2, 1, 3]>(x)  y = Reshape(h, s)",
            None,
            constants="int64[2] s = {6, 8}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        other = producer(node.inputs[0], "Reshape" if node.op_type == "Transpose" else "Transpose")
        shape = static_shape(node.outputs[0])
        if other is None or other.inputs[0] is None or shape is None or 0 in shape:
            return NOT_HERE
        transpose = Transpose.decode(Reader(node if node.op_type == "Transpose" else other))
        dims = static_shape(transpose.x)
        if dims is None:
            return NOT_HERE
        moved = [axis for axis in transpose.perm if dims[axis] != 1]
        return [g.op("Reshape", other.inputs[0], g.ints(*shape))] if moved == sorted(moved) else NOT_HERE


class TransposeInBatches(Rule):
    """Reshape(Transpose(Reshape(x))) whose reshapes only merge and restore leading dimensions -> Transpose(x)."""

    name = "transpose-in-batches"
    roots = ("Reshape",)
    examples = (
        Example(
            "float[2,3,4,5] x",
            "a = Reshape(x, s)  b = Transpose<perm = [0, 2, 1]>(a)  y = Reshape(b, t)",
            "y = Transpose<perm = [0, 1, 3, 2]>(x)",
            constants="int64[3] s = {6, 4, 5}, int64[4] t = {2, 3, 5, 4}",
        ),
        Example(
            "float[2,3,4,5] x",
            "a = Reshape(x, s)  b = Transpose<perm = [0, 2, 1]>(a)  y = Reshape(b, t)",
            None,
            constants="int64[3] s = {6, 4, 5}, int64[4] t = {3, 2, 5, 4}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        transpose = producer(node.inputs[0], "Transpose")
        inner = None if transpose is None else producer(transpose.inputs[0], "Reshape")
        if transpose is None or inner is None or inner.inputs[0] is None:
            return NOT_HERE
        x = inner.inputs[0]
        whole, merged, after = (static_shape(v) for v in (x, inner.outputs[0], node.outputs[0]))
        if whole is None or merged is None or after is None or len(whole) < 3 or len(merged) != 3:
            return NOT_HERE
        swaps = Transpose.decode(Reader(transpose)).perm == (0, 2, 1) and whole[-2:] == merged[-2:]
        if not swaps or 0 in whole or after != (*whole[:-2], whole[-1], whole[-2]):
            return NOT_HERE
        lead = len(whole) - 2
        return [g.op("Transpose", x, perm=[*range(lead), lead + 1, lead])]


class CanonicalReshape(Rule):
    """Flatten, Squeeze, Unsqueeze and Reshape with copied or inferred sizes -> Reshape to a literal shape."""

    name = "canonical-reshape"
    roots = _RESHAPES
    examples = (Example("float[2,3,4] x", "y = Flatten<axis = 1>(x)", "y = Reshape(x, s)", output="float"),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        shape = static_shape(node.outputs[0])
        x = node.inputs[0]
        if shape is None or 0 in shape or x is None:
            return NOT_HERE
        if node.op_type == "Reshape" and Reader(node).const_ints(1) == shape:
            return NOT_HERE
        return [g.op("Reshape", x, g.ints(*shape))]
