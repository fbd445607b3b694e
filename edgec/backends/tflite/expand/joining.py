"""Concatenation of a feature map with constants, which XNNPACK rejects before a convolution."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.shape import Concat
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class JoinConstants(Rule):
    """Concat of a feature map and constants -> Pad, and Add of the constants unless they are zero.

    LiteRT 2.3 rejects a CONV_2D that reads, directly or through other operators, a 4-D CONCATENATION with a constant
    operand: "failed to reshape runtime". (A recurrent convolution starts from such zeros.)
    """

    name = "join-constants"
    roots = ("Concat",)
    examples = (
        Example("float[1,2,2,2] x", "y = Concat<axis = 1>(x, c)", "y = Pad(x, p)", "float[1,1,2,2] c = {0,0,0,0}"),
        Example(
            "float[1,2,2,2] x",
            "y = Concat<axis = 1>(c, x)",
            "a = Pad(x, p)  y = Add(a, d)",
            "float[1,1,2,2] c = {1,2,3,4}",
        ),
        Example("float[2,2] x", "y = Concat<axis = 1>(x, c)", None, "float[2,1] c = {0,0}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Concat.decode(Reader(node))
        shapes = [s for s in map(static_shape, op.xs) if s is not None]
        constants = [constant(v) for v in op.xs]
        varying = [i for i, c in enumerate(constants) if c is None]
        first = op.xs[0]
        floats = first.dtype in (ir.DataType.FLOAT, ir.DataType.FLOAT16)
        if len(varying) in (0, len(constants)) or not floats or first.shape is None or len(first.shape) != 4:
            return NOT_HERE
        if len(shapes) < len(op.xs):
            return Miss("a shape is not known")
        if varying != list(range(varying[0], varying[-1] + 1)):
            return Miss("there are constants between the maps")
        axis = op.axis
        before, after = constants[: varying[0]], constants[varying[-1] + 1 :]
        pads = np.zeros((2, 4), np.int64)
        pads[0, axis], pads[1, axis] = (sum(c.shape[axis] for c in side if c is not None) for side in (before, after))
        maps = [op.xs[i] for i in varying]
        inner = maps[0] if len(maps) == 1 else g.op("Concat", *maps, axis=axis)
        padded = g.op("Pad", inner, g.ints(*pads.reshape(-1).tolist()))
        given = [c for c in constants if c is not None]
        if not any(c.any() for c in given):
            return [padded]
        parts = [np.zeros(s, given[0].dtype) if c is None else c for c, s in zip(constants, shapes, strict=True)]
        return [g.op("Add", padded, g.const(np.concatenate(parts, axis)))]
