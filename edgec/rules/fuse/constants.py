"""Merges constant factors and terms, or folds them into a matrix product."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.ir.build import GraphBuilder
from edgec.ir.model import Array, constant, static_shape
from edgec.ops.base import Reader
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import only_use, operands, producer, same_type

Floats = NDArray[np.float64]


class FoldMulIntoMatMul(Rule):
    """(x @ W + b) * c -> x @ (W * c) + b * c, for constants W, b and c (one number, or one for each column)."""

    name = "fold-mul-into-matmul"
    roots = ("Mul",)
    examples = (
        Example(
            "float[2,2,3] x",
            "m = MatMul(x, w)  a = Add(m, b)  y = Mul(a, c)",
            "m = MatMul(x, v)  y = Add(m, d)",
            constants="float[3,2] w = {1, 2, 3, 4, 5, 6}, float[2] b = {1, -1}, float c = {0.5}",
        ),
        Example(
            "float[2,2,3] x",
            "m = MatMul(x, w)  a = Neg(m)  h = Mul(m, c)  y = Add(a, h)",
            None,
            constants="float[3,2] w = {1, 2, 3, 4, 5, 6}, float c = {0.5}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        for value, factor in operands(node):
            c = constant(factor)
            if c is None or not only_use(value):
                continue
            add = producer(value, "Add")
            pairs = ((value, None),) if add is None else operands(add)
            for product, bias in pairs:
                found = _scaled(product, bias, c, node, g)
                if found is not None:
                    return [found]
        return NOT_HERE


def _scaled(product: ir.Value, bias: ir.Value | None, c: Array, node: ir.Node, g: GraphBuilder) -> ir.Value | None:
    """The product with a scaled weight, plus the scaled bias; None if the parts do not match."""
    matmul = producer(product, "MatMul")
    weight = None if matmul is None else constant(matmul.inputs[1])
    b = None if bias is None else constant(bias)
    if matmul is None or weight is None or weight.ndim != 2 or (bias is not None and b is None):
        return None
    vector = c.reshape(-1)
    per_column = vector.size in (1, weight.shape[1]) and (vector.size == 1 or c.shape[-1] == vector.size)
    if not per_column or not only_use(product) or static_shape(node.outputs[0]) != static_shape(product):
        return None
    dtype = matmul.inputs[1].dtype if matmul.inputs[1] is not None else None
    scaled = weight.astype(np.float64) * vector.astype(np.float64)
    found = g.op("MatMul", matmul.inputs[0], g.const(scaled, dtype=dtype))
    if b is None:
        return found
    return g.op("Add", found, g.const(b.astype(np.float64) * vector.astype(np.float64), dtype=dtype))


class ColumnsBeforeReshape(Rule):
    """f(Reshape(x @ W), c) -> Reshape(f(x @ W, c)), for Mul or Add of one constant for each column."""

    name = "columns-before-reshape"
    roots = ("Mul", "Add")
    examples = (
        Example(
            "float[2,2,3] x",
            "m = MatMul(x, w)  r = Reshape(m, s)  y = Mul(r, c)",
            "m = MatMul(x, w)  f = Mul(m, c)  y = Reshape(f, s)",
            constants="float[3,2] w = {1, 2, 3, 4, 5, 6}, float[1,2] c = {0.5, 2}, int64[2] s = {4, 2}",
        ),
        Example(
            "float[2,2,3] x",
            "m = MatMul(x, w)  r = Reshape(m, s)  y = Mul(r, c)",
            None,
            constants="float[3,2] w = {1, 2, 3, 4, 5, 6}, float[4] c = {0.5, 2, 1, 3}, int64[2] s = {2, 4}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        for value, other in operands(node):
            reshape, c = producer(value, "Reshape"), constant(other)
            x = None if reshape is None else reshape.inputs[0]
            if reshape is None or c is None or x is None or producer(_before_bias(x), "MatMul") is None:
                continue
            inner, outer = static_shape(x), static_shape(value)
            if not inner or not outer or inner[-1] != outer[-1] or static_shape(node.outputs[0]) != outer:
                continue
            if not only_use(value) or not only_use(x) or not c.shape or c.size != outer[-1] or c.shape[-1] != c.size:
                continue
            found = g.op(node.op_type, x, g.const(c.reshape(-1), dtype=other.dtype))
            return [g.op("Reshape", found, reshape.inputs[1])]
        return NOT_HERE


def _before_bias(value: ir.Value) -> ir.Value:
    """The operand of the addition of a constant, or the value itself."""
    add = producer(value, "Add")
    if add is None:
        return value
    return next((x for x, bias in operands(add) if constant(bias) is not None), value)


class MergeConstantOperands(Rule):
    """(x + a) + b -> x + (a + b) and (x * a) * b -> x * (a * b), for floating-point constants."""

    name = "merge-constant-operands"
    roots = ("Add", "Mul")
    examples = (
        Example(
            "float[2] x",
            "h = Mul(x, a)  y = Mul(h, b)",
            "y = Mul(x, c)",
            constants="float a = {2}, float[2] b = {3, 4}",
        ),
        Example(
            "float[2] x",
            "h = Add(x, a)  y = Add(h, b)",
            None,
            constants="float a = {12582912}, float b = {-12582912}",
        ),
        Example(
            "int64[2] x",
            "h = Mul(x, a)  y = Mul(h, b)",
            None,
            constants="int64 a = {2}, int64 b = {3}",
            output="int64",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        for value, outer in operands(node):
            inner, b = producer(value, node.op_type), constant(outer)
            if inner is None or b is None or not only_use(value) or b.dtype.kind != "f":
                continue
            for x, other in operands(inner):
                a = constant(other)
                if a is None or constant(x) is not None:
                    continue
                first, second = a.astype(np.float64), b.astype(np.float64)
                merged = first + second if node.op_type == "Add" else first * second
                if merged.size > max(a.size, b.size):
                    return Miss("the merged constant is larger than both")
                factors = (first, second) if node.op_type == "Mul" else ()
                if not _stay_in_range(merged, first, second, b.dtype) or _leave_and_return(*factors):
                    return Miss("the merged constant overflows or underflows, which single steps may not")
                if node.op_type == "Add" and np.any(np.abs(merged) < np.maximum(np.abs(first), np.abs(second)) / 2):
                    return Miss("the constants cancel: adding and subtracting may be intentional rounding")
                return [g.op(node.op_type, x, g.const(merged, dtype=outer.dtype))]
        return NOT_HERE


def _stay_in_range(merged: Floats, first: Floats, second: Floats, dtype: np.dtype[np.generic]) -> bool:
    """Whether constants merged in float64 neither overflow nor underflow in the graph's type."""
    limits = np.finfo(dtype.name)
    size = np.abs(merged)
    given = np.isfinite(first) & np.isfinite(second)
    vanishes = (size < limits.tiny) & (first != 0) & (second != 0) & (first + second != 0)
    return not bool(np.any(given & ((size > limits.max) | vanishes)))


def _leave_and_return(*factors: Floats) -> bool:
    """Whether one factor takes numbers out of range and the other back: an overflow in between must be preserved."""
    sizes = [np.abs(f[(f != 0) & np.isfinite(f)]) for f in factors]
    up = any(bool(np.any(s > _FAR)) for s in sizes) and any(bool(np.any(s < 1)) for s in sizes)
    down = any(bool(np.any(s < 1 / _FAR)) for s in sizes) and any(bool(np.any(s > 1)) for s in sizes)
    return up or down


_FAR = 1e9


class RemoveBroadcastExpand(Rule):
    """f(Expand(x), z) -> f(x, z), if z already has the shape of the result."""

    name = "remove-broadcast-expand"
    roots = ("Add", "Sub", "Mul", "Div", "Pow", "Equal", "Less", "Greater", "And", "Or")
    examples = (
        Example(
            "float[1,3] x, float[2,3] z",
            "e = Expand(x, s)  y = Add(e, z)",
            "y = Add(x, z)",
            constants="int64[2] s = {2, 3}",
        ),
        Example(
            "float[1,3] x, float[1,3] z",
            "e = Expand(x, s)  y = Add(e, z)",
            None,
            constants="int64[2] s = {2, 3}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        for side in (0, 1):
            expand, other = producer(node.inputs[side], "Expand"), node.inputs[1 - side]
            if expand is None or other is None or expand.inputs[0] is None:
                continue
            wide = expand.outputs[0]
            if Reader(expand).rank(expand.inputs[0]) > Reader(node).rank(other) or static_shape(wide) is None:
                continue
            if static_shape(other) != static_shape(node.outputs[0]) or not same_type(wide, other):
                continue
            pair = (expand.inputs[0], other) if side == 0 else (other, expand.inputs[0])
            return [g.op(node.op_type, *pair)]
        return NOT_HERE
