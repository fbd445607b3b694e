"""Convolutions on non-overlapping patches, as matrix products of the patches."""

from __future__ import annotations

from collections.abc import Collection

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.conv import Conv
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

_LEAST = 8
"""Smaller patches gain nothing; those of 14 to 32 save a fifth of the convolution and its transpose."""


class PatchesToMatMul(Rule):
    """Conv with non-overlapping windows -> MatMul of the patches, whose rows are copied whole.

    `last` names inputs that are channels-last in the file: their convolution needs no transpose.
    """

    name = "patches-to-matmul"
    roots = ("Conv",)
    examples = (
        Example(
            "float[1,2,16,8] x",
            "y = Conv<strides = [8,8]>(x, w, b)",
            "r = Reshape(x, s)  t = Transpose<perm = [0,2,4,1,3,5]>(r)  p = Reshape(t, u)  m = MatMul(p, v)  "
            "a = Add(m, b)  y = Transpose<perm = [0,3,1,2]>(a)",
            constants=f"float[3,2,8,8] w = {{{', '.join(str(i % 9) for i in range(384))}}}, float[3] b = {{1, 2, 3}}",
        ),
        Example(
            "float[1,1,16,16] x",
            "y = Conv<strides = [8,8], pads = [4,4,4,4]>(x, w)",
            None,
            constants=f"float[1,1,8,8] w = {{{', '.join(str(i % 9) for i in range(64))}}}",
        ),
    )

    def __init__(self, last: Collection[str] = ()) -> None:
        self._last = last

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Conv.decode(Reader(node))
        window, shape, weight = op.window, static_shape(op.x), constant(op.w)
        if len(window.kernel) != 2 or window.kernel != window.strides or min(window.kernel) < _LEAST:
            return NOT_HERE
        if window.has_padding or op.groups != 1 or not op.x.is_graph_input() or op.x.name in self._last:
            return NOT_HERE
        if shape is None or weight is None:
            return Miss("the shape or the weight is unknown")
        (n, c, h, w), (rows, columns) = shape, window.kernel
        if h % rows or w % columns or window.extent != window.kernel:
            return Miss("the patches do not cover the input exactly")
        cut = g.op("Reshape", op.x, g.ints(n, c, h // rows, rows, w // columns, columns))
        turned = g.op("Transpose", cut, perm=[0, 2, 4, 1, 3, 5])
        patches = g.op("Reshape", turned, g.ints(n, h // rows, w // columns, c * rows * columns))
        y = g.op("MatMul", patches, g.const(weight.reshape(weight.shape[0], -1).T))
        return [g.op("Transpose", y if op.b is None else g.op("Add", y, op.b), perm=[0, 3, 1, 2])]
