"""Decompositions of operators on types, indices and triangles."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.ops.shape import Flatten
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class CastLikeToCast(Rule):
    """CastLike(x, y) -> Cast(x) to y's element type."""

    name = "cast-like-to-cast"
    roots = ("CastLike",)
    examples = (Example("int64[2] x, float[2] z", "y = CastLike(x, z)", "y = Cast<to = 1>(x)"),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        dtype = r.input(1).dtype
        if dtype is None:
            return Miss("the element type is not known")
        how = {k: node.attributes[k].value for k in ("saturate", "round_mode") if r.has(k)}
        return [g.op("Cast", r.input(0), to=int(dtype), **how)]


class FlattenToReshape(Rule):
    """Flatten(x; axis) with open dimensions -> Reshape (static ones: `canonical-reshape`)."""

    name = "flatten-to-reshape"
    roots = ("Flatten",)
    examples = (Example("float[2,3,4] x", "y = Flatten<axis = 1>(x)", None),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Flatten.decode(Reader(node))
        shape = list(op.x.shape or ())
        rows, columns = _product(shape[: op.axis]), _product(shape[op.axis :])
        if rows is not None and columns is not None:
            return NOT_HERE
        if columns is not None and columns > 0:
            return [g.op("Reshape", op.x, g.ints(-1, columns))]
        if rows is not None and rows > 0:
            return [g.op("Reshape", op.x, g.ints(rows, -1))]
        lead = g.op("ReduceProd", g.op("Shape", op.x, start=0, end=op.axis), g.ints(0), keepdims=1)
        return [g.op("Reshape", op.x, g.op("Concat", lead, g.ints(-1), axis=0))]


def _product(dims: Sequence[int | ir.SymbolicDim]) -> int | None:
    """The number of elements; None if a dimension is open."""
    known = [d for d in dims if isinstance(d, int)]
    return math.prod(known) if len(known) == len(dims) else None


class HardmaxToOneHot(Rule):
    """Hardmax(x; axis) -> 1 at the first maximum along the axis, 0 elsewhere."""

    name = "hardmax-to-one-hot"
    roots = ("Hardmax",)
    examples = (
        Example(
            "float[2,3] x", "y = Hardmax(x)", "i = ArgMax<axis = 1, keepdims = 0>(x)  y = OneHot<axis = 1>(i, d, v)"
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x = r.input(0)
        shape = static_shape(x)
        if shape is None:
            return Miss("the size of the axis is not known")
        axis = r.axis(r.integer("axis", -1), len(shape))
        top = g.op("ArgMax", x, axis=axis, keepdims=0)
        values = g.const(np.asarray([0, 1]), dtype=x.dtype)
        return [g.op("OneHot", top, g.const(shape[axis]), values, axis=axis)]


class EyeLikeToConstant(Rule):
    """EyeLike(x; k) -> the constant matrix (static shape)."""

    name = "eye-like-to-constant"
    roots = ("EyeLike",)
    examples = (Example("float[2,3] x", "e = EyeLike<k = 1>(x)  y = Add(x, e)", "i = Identity(c)  y = Add(x, i)"),)

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        shape, given = static_shape(r.input(0)), r.input(0).dtype
        dtype = ir.DataType(r.integer("dtype")) if r.has("dtype") else given
        if shape is None or dtype is None:
            return Miss("the shape is not known")
        return [g.op("Identity", g.const(np.eye(shape[0], shape[1], k=r.integer("k", 0)), dtype=dtype))]


class MeanVarianceToReduce(Rule):
    """MeanVarianceNormalization(x; axes) -> (x - mean) / (sqrt(mean((x - mean)²)) + 1e-9)."""

    name = "mean-variance-to-reduce"
    roots = ("MeanVarianceNormalization",)
    examples = (
        Example(
            "float[2,2,3,3] x",
            "y = MeanVarianceNormalization(x)",
            "m = ReduceMean<keepdims = 1>(x, a)  c = Sub(x, m)  q = Mul(c, c)  v = ReduceMean<keepdims = 1>(q, a)  "
            "r = Sqrt(v)  e = Add(r, t)  y = Div(c, e)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, axes = r.input(0), g.ints(*r.ints("axes", (0, 2, 3)))
        centred = g.op("Sub", x, g.op("ReduceMean", x, axes, keepdims=1))
        variance = g.op("ReduceMean", g.op("Mul", centred, centred), axes, keepdims=1)
        return [g.op("Div", centred, g.op("Add", g.op("Sqrt", variance), g.like(1e-9, x)))]
