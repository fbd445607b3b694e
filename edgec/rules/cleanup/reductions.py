"""Canonical forms of reductions, so that equal ones compare equal."""

from __future__ import annotations

import math

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.ops.reduce import Reduce
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import is_float, is_scalar, only_use, producer

_KINDS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd")


class KeepReducedAxes(Rule):
    """Reshape(Reduce(x, keepdims=0)) -> Reduce(x, keepdims=1), if the Reshape restores the reduced axes as ones."""

    name = "keep-reduced-axes"
    roots = ("Reshape",)
    examples = (
        Example(
            "float[2,3,4] x",
            "m = ReduceMean<keepdims = 0>(x, a)  y = Reshape(m, s)",
            "y = ReduceMean<keepdims = 1>(x, a)",
            constants="int64[1] a = {1}, int64[3] s = {2, 1, 4}",
        ),
        Example(
            "float[2,3,4] x",
            "m = ReduceMean<keepdims = 0>(x, a)  y = Reshape(m, s)",
            None,
            constants="int64[1] a = {1}, int64[3] s = {1, 2, 4}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        reduction = next((n for kind in _KINDS if (n := producer(node.inputs[0], kind)) is not None), None)
        if reduction is None or not only_use(reduction.outputs[0]):
            return NOT_HERE
        op = Reduce.decode(Reader(reduction))
        shape, wanted = static_shape(op.x), static_shape(node.outputs[0])
        if op.keepdims or op.axes is None or shape is None:
            return NOT_HERE
        if tuple(1 if i in op.axes else d for i, d in enumerate(shape)) != wanted:
            return NOT_HERE
        return [g.op(reduction.op_type, op.x, g.ints(*op.axes), keepdims=1)]


class CanonicalReduction(Rule):
    """Axes of a reduction become non-negative and sorted; attributes with default values are dropped."""

    name = "canonical-reduction"
    roots = _KINDS
    examples = (
        Example(
            "float[2,3,4] x",
            "y = ReduceMean<keepdims = 1, noop_with_empty_axes = 0>(x, a)",
            "y = ReduceMean<keepdims = 1>(x, b)",
            constants="int64[1] a = {-1}, int64[1] b = {2}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        op = Reduce.decode(r)
        if not op.axes or (r.const_ints(1) == tuple(sorted(op.axes)) and not r.has("noop_with_empty_axes")):
            return NOT_HERE
        return [g.op(node.op_type, op.x, g.ints(*sorted(op.axes)), keepdims=int(op.keepdims))]


class SumToMean(Rule):
    """ReduceSum(x) over n elements, divided by n -> ReduceMean(x)."""

    name = "sum-to-mean"
    roots = ("Div", "Mul")
    examples = (
        Example(
            "float[2,4] x",
            "s = ReduceSum<keepdims = 1>(x, a)  y = Div(s, n)",
            "y = ReduceMean<keepdims = 1>(x, a)",
            constants="int64[1] a = {1}, float n = {4}",
        ),
        Example(
            "float[2,4] x",
            "s = ReduceSum<keepdims = 1>(x, a)  y = Div(s, n)",
            None,
            constants="int64[1] a = {1}, float n = {3}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        divides = node.op_type == "Div"
        for this, other in ((0, 1),) if divides else ((0, 1), (1, 0)):
            total = producer(node.inputs[this], "ReduceSum")
            if total is None or not only_use(total.outputs[0]) or not is_float(total.outputs[0]):
                continue
            op = Reduce.decode(Reader(total))
            shape = static_shape(op.x)
            if op.axes is None or shape is None or static_shape(node.outputs[0]) != static_shape(total.outputs[0]):
                continue
            count = math.prod(shape[i] for i in op.axes)
            if count and is_scalar(node.inputs[other], count if divides else 1 / count, _CLOSE / count):
                return [g.op("ReduceMean", op.x, g.ints(*op.axes), keepdims=int(op.keepdims))]
        return NOT_HERE


_CLOSE = 1e-7
"""Relative error of 1/n as a float32."""
