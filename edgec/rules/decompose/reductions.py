"""Decompositions of composed reductions and pools."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.pool import LpPool
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class GlobalPoolToReduce(Rule):
    """GlobalAveragePool(x) -> ReduceMean over the spatial axes; GlobalMaxPool likewise to ReduceMax."""

    name = "global-pool-to-reduce"
    roots = ("GlobalAveragePool", "GlobalMaxPool")
    examples = (Example("float[1,2,3,4] x", "y = GlobalAveragePool(x)", "y = ReduceMean<keepdims = 1>(x, axes)"),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = Reader(node).input(0)
        kind = "ReduceMean" if node.op_type == "GlobalAveragePool" else "ReduceMax"
        return [g.op(kind, x, g.ints(*range(2, Reader(node).rank(x))), keepdims=1)]


class ComposedReduction(Rule):
    """ReduceL1, L2, LogSum, LogSumExp and SumSquare -> ReduceSum (and ReduceMax) with element-wise operators."""

    name = "composed-reduction"
    roots = ("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare")
    examples = (
        Example(
            "float[2,3] x",
            "y = ReduceSumSquare(x, axes)",
            "q = Mul(x, x)  y = ReduceSum<keepdims = 1>(q, axes)",
            constants="int64[1] axes = {1}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, axes = r.input(0), r.optional(1)
        keepdims, noop = r.integer("keepdims", 1), r.integer("noop_with_empty_axes", 0)

        def total(value: Value, keep: int = keepdims) -> Value:
            return g.op("ReduceSum", value, axes, keepdims=keep, noop_with_empty_axes=noop)

        match node.op_type:
            case "ReduceL1":
                return [total(g.op("Abs", x))]
            case "ReduceL2":
                return [g.op("Sqrt", total(g.op("Mul", x, x)))]
            case "ReduceSumSquare":
                return [total(g.op("Mul", x, x))]
            case "ReduceLogSum":
                return [g.op("Log", total(x))]
            case _:
                return self._log_sum_exp(r, g)

    def _log_sum_exp(self, r: Reader, g: GraphBuilder) -> Replacement | Miss:
        """Numerically stable: subtracts the maximum first, unless it is infinite."""
        x, axes, keepdims = r.input(0), r.optional(1), r.integer("keepdims", 1)
        noop = r.integer("noop_with_empty_axes", 0)
        top = g.op("ReduceMax", x, axes, keepdims=1, noop_with_empty_axes=noop)
        finite = g.op("Where", g.op("IsInf", top), g.like(0.0, x), top)
        total = g.op("ReduceSum", g.op("Exp", g.op("Sub", x, finite)), axes, keepdims=1, noop_with_empty_axes=noop)
        result = g.op("Add", g.op("Log", total), finite)
        every = axes is None or r.const_ints(1) == ()
        if keepdims or (noop and every):
            return [result]
        return [g.op("Squeeze", result, g.ints(*range(r.rank(x))) if every else axes)]


class VariadicToBinary(Rule):
    """Sum, Mean, Max and Min of n inputs -> a chain of two-input operators."""

    name = "variadic-to-binary"
    roots = ("Sum", "Mean", "Max", "Min")
    examples = (
        Example("float[2] x, float[2] z", "y = Sum(x, z, x)", "a = Add(x, z)  y = Add(a, x)"),
        Example("float[2] x, float[2] z", "y = Max(x, z)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        xs = Reader(node).variadic()
        if node.op_type in ("Max", "Min") and len(xs) == 2:
            return NOT_HERE
        step = {"Sum": "Add", "Mean": "Add"}.get(node.op_type, node.op_type)
        total = xs[0]
        for x in xs[1:]:
            total = g.op(step, total, x)
        if node.op_type == "Mean" and len(xs) > 1:
            total = g.op("Div", total, g.like(len(xs), total))
        return [total if len(xs) > 1 else g.op("Identity", total)]


class LpNormalizationToReduce(Rule):
    """LpNormalization(x; p, axis) -> x / ‖x‖_p, 0 if the norm is 0."""

    name = "lp-normalization-to-reduce"
    roots = ("LpNormalization",)
    examples = (
        Example(
            "float[2,3] x",
            "y = LpNormalization<p = 2>(x)",
            "a = Mul(x, x)  s = ReduceSum<keepdims = 1>(a, axes)  n = Sqrt(s)  "
            "z = Equal(n, zero)  m = Where(z, one, n)  y = Div(x, m)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x = r.input(0)
        axes = g.ints(r.axis(r.integer("axis", -1), r.rank(x)))
        if r.integer("p", 2) == 1:
            norm = g.op("ReduceSum", g.op("Abs", x), axes, keepdims=1)
        else:
            norm = g.op("Sqrt", g.op("ReduceSum", g.op("Mul", x, x), axes, keepdims=1))
        safe = g.op("Where", g.op("Equal", norm, g.like(0.0, x)), g.like(1.0, x), norm)
        return [g.op("Div", x, safe)]


class LpPoolToAveragePool(Rule):
    """LpPool(x; p) -> (AveragePool(|x|^p) * kernel size)^(1/p), padding counted as zeros."""

    name = "lp-pool-to-average-pool"
    roots = ("LpPool", "GlobalLpPool")
    examples = (
        Example(
            "float[1,1,4,4] x",
            "y = LpPool<kernel_shape = [2, 2], p = 2>(x)",
            "a = Abs(x)  q = Pow(a, p)  m = AveragePool<kernel_shape = [2, 2]>(q)  s = Mul(m, k)  y = Pow(s, r)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, p = r.input(0), float(r.integer("p", 2))
        powered = g.op("Pow", g.op("Abs", x), g.like(p, x))
        if node.op_type == "GlobalLpPool":
            total: Value | None = g.op("ReduceSum", powered, g.ints(*range(2, r.rank(x))), keepdims=1)
        else:
            total = self._window_sum(powered, LpPool.decode(r), g)
        if total is None:
            return Miss("the shape is not static")
        return [g.op("Pow", total, g.like(1.0 / p, x))]

    def _window_sum(self, x: Value, op: LpPool, g: GraphBuilder) -> Value | None:
        """The mean times the window's size. The input is padded first, so that all windows are complete."""
        window, shape, out = op.window, static_shape(op.x), static_shape(op.y)
        if shape is None or out is None:
            return None
        reach = [(o - 1) * s + e for o, s, e in zip(out[2:], window.strides, window.extent, strict=True)]
        end = [max(t - n - b, 0) for t, n, b in zip(reach, shape[2:], window.pads_begin, strict=True)]
        if any(window.pads_begin) or any(end):
            x = g.op("Pad", x, g.ints(0, 0, *window.pads_begin, 0, 0, *end))
        kernel, strides, dilations = list(window.kernel), list(window.strides), list(window.dilations)
        mean = g.op("AveragePool", x, kernel_shape=kernel, strides=strides, dilations=dilations)
        return g.op("Mul", mean, g.like(float(np.prod(window.kernel)), x))
