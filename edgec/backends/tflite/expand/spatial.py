"""Convolutions and pools that TFLite supports in another rank."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.conv import Conv, ConvTranspose
from edgec.ops.pool import AveragePool, MaxPool
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class OneDimensional(Rule):
    """Conv, ConvTranspose and pools of one spatial dimension -> two, the first of size 1."""

    name = "one-dimensional-to-two"
    roots = ("Conv", "ConvTranspose", "MaxPool", "AveragePool")
    examples = (
        Example(
            "float[1,2,6] x",
            "y = MaxPool<kernel_shape = [2]>(x)",
            "t = Reshape(x, c)  "
            "z = MaxPool<kernel_shape = [1, 2], strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0]>(t)  "
            "y = Reshape(z, d)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, shape, out = r.input(0), static_shape(r.input(0)), static_shape(node.outputs[0])
        if x.shape is None or len(x.shape) != 3 or len(node.outputs) > 1:
            return NOT_HERE
        if (shape is None or out is None) and r.string("auto_pad", "NOTSET").startswith("SAME"):
            return Miss("the padding depends on an open size")
        wide = g.op("Unsqueeze", x, g.ints(2)) if shape is None else g.op("Reshape", x, g.ints(*shape[:2], 1, shape[2]))
        y = g.op(node.op_type, wide, *_wide_weights(node, g), **_wide_attributes(node, r))
        return [g.op("Squeeze", y, g.ints(2)) if out is None else g.op("Reshape", y, g.ints(*out))]


def _wide_weights(node: ir.Node, g: GraphBuilder) -> list[Value | None]:
    """The weight with a kernel height of 1, and the bias."""
    if node.op_type not in ("Conv", "ConvTranspose"):
        return []
    w = node.inputs[1]
    assert w is not None
    array = constant(w)
    if array is not None:
        return [g.const(array[:, :, None, :]), *node.inputs[2:]]
    return [g.op("Unsqueeze", w, g.ints(2)), *node.inputs[2:]]


def _wide_attributes(node: ir.Node, r: Reader) -> dict[str, Any]:
    """Explicit attributes for two dimensions; `auto_pad` is resolved."""
    decoders = {"Conv": Conv.decode, "ConvTranspose": ConvTranspose.decode, "MaxPool": MaxPool.decode}
    op = decoders.get(node.op_type, AveragePool.decode)(r)
    window = op.window  # type: ignore[attr-defined]  # every one of the four has a window
    found: dict[str, Any] = {
        "kernel_shape": [1, *window.kernel],
        "strides": [1, *window.strides],
        "dilations": [1, *window.dilations],
        "pads": [0, *window.pads_begin, 0, *window.pads_end],
    }
    for name in ("ceil_mode", "count_include_pad", "group"):
        if r.has(name):
            found[name] = r.integer(name)
    if isinstance(op, ConvTranspose):
        found["output_padding"] = [0, *op.output_padding]
    return found
