"""Convolutions in forms that TFLite's kernels lack, rewritten to forms that they support."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.conv import Conv, ConvTranspose
from edgec.ops.spatial import Window
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


def window_attributes(window: Window) -> dict[str, Any]:
    """Explicit attributes of a window; `auto_pad` is resolved."""
    return {
        "kernel_shape": list(window.kernel),
        "strides": list(window.strides),
        "dilations": list(window.dilations),
        "pads": [*window.pads_begin, *window.pads_end],
    }


class DilatedTransposedConv(Rule):
    """ConvTranspose with dilation -> ConvTranspose whose larger weight has zeros between its elements."""

    name = "dilated-conv-transpose"
    roots = ("ConvTranspose",)
    examples = (
        Example(
            "float[1,1,3,3] x",
            "y = ConvTranspose<dilations = [2,2]>(x, w)",
            "y = ConvTranspose<kernel_shape = [3,3]>(x, v)",
            constants="float[1,1,2,2] w = {1,2,3,4}",
        ),
        Example("float[1,1,3,3] x, float[1,1,2,2] w", "y = ConvTranspose(x, w)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ConvTranspose.decode(Reader(node))
        weight, w = constant(op.w), op.window
        if all(d == 1 for d in w.dilations):
            return NOT_HERE
        if weight is None:
            return Miss("the weight is computed by the model")
        wide = np.zeros((*weight.shape[:2], *w.extent), dtype=weight.dtype)
        wide[(slice(None), slice(None), *(slice(None, None, d) for d in w.dilations))] = weight
        ones = (1,) * len(w.kernel)
        plain = window_attributes(Window(w.extent, w.strides, ones, w.pads_begin, w.pads_end))
        y = g.op(
            "ConvTranspose", op.x, g.const(wide), op.b, group=op.groups, output_padding=list(op.output_padding), **plain
        )
        return [y]


class SplitGroups(Rule):
    """3-D Conv and ConvTranspose with groups -> one for each group between Split and Concat."""

    name = "split-groups"
    roots = ("Conv", "ConvTranspose")
    examples = (
        Example(
            "float[1,2,3,3] x",
            "y = ConvTranspose<group = 2>(x, w)",
            "a, b = Split(x, s)  c = ConvTranspose(a, v)  d = ConvTranspose(b, u)  y = Concat<axis = 1>(c, d)",
            constants="float[2,1,2,2] w = {1,2,3,4,5,6,7,8}",
        ),
        Example("float[1,2,3,3] x, float[2,1,2,2] w", "y = Conv<group = 2>(x, w)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = (Conv if node.op_type == "Conv" else ConvTranspose).decode(Reader(node))
        shape = static_shape(op.x)
        if op.groups == 1 or (isinstance(op, Conv) and len(op.window.kernel) < 3):
            return NOT_HERE
        if shape is None:
            return Miss("the shape is not static")
        if isinstance(op, Conv) and constant(op.w) is not None:
            return NOT_HERE  # volume-to-planes keeps groups
        n = op.groups
        attributes = window_attributes(op.window)
        if isinstance(op, ConvTranspose):
            attributes["output_padding"] = list(op.output_padding)
        xs, ws = _parts(op.x, 1, n, g), _parts(op.w, 0, n, g)
        bs = [None] * n if op.b is None else _parts(op.b, 0, n, g)
        ys = [g.op(node.op_type, x, w, b, **attributes) for x, w, b in zip(xs, ws, bs, strict=True)]
        return [g.op("Concat", *ys, axis=1)]


def _parts(value: Value, axis: int, count: int, g: GraphBuilder) -> list[Value]:
    """Split a value into equal parts; those of a constant are constants."""
    array, shape = constant(value), static_shape(value)
    if array is not None:
        return [g.const(part) for part in np.split(array, count, axis=axis)]
    assert shape is not None
    sizes = g.ints(*[shape[axis] // count] * count)
    return list(g.multi("Split", count, value, sizes, axis=axis))
