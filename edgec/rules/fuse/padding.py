"""Folds padding into the convolution or pool that reads it."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader
from edgec.ops.shape import Pad
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import producer, scalar


class FoldPad(Rule):
    """Conv(Pad(x)) -> Conv(x) with those pads; AveragePool likewise, if it counts padding or has none of its own."""

    name = "fold-pad"
    roots = ("Conv", "AveragePool", "MaxPool")
    examples = (
        Example(
            "float[1,1,4,4] x",
            "p = Pad(x, a)  y = Conv(p, w)",
            "y = Conv<pads = [1, 1, 0, 2]>(x, w)",
            constants="int64[8] a = {0, 0, 1, 1, 0, 0, 0, 2}, float[1,1,2,2] w = {1, -1, 2, 0.5}",
        ),
        Example(
            "float[1,1,4,4] x",
            "p = Pad(x, a)  y = AveragePool<kernel_shape = [2, 2]>(p)",
            "y = AveragePool<kernel_shape = [2, 2], pads = [1, 1, 0, 0], count_include_pad = 1>(x)",
            constants="int64[8] a = {0, 0, 1, 1, 0, 0, 0, 0}",
        ),
        Example(
            "float[1,1,4,4] x",
            "p = Pad(x, a, v)  y = Conv(p, w)",
            None,
            constants="int64[8] a = {0, 0, 1, 1, 0, 0, 0, 2}, float v = {1}, float[1,1,2,2] w = {1, -1, 2, 0.5}",
        ),
        Example(
            "float[1,1,4,4] x",
            "p = Pad(x, a)  y = MaxPool<kernel_shape = [2, 2]>(p)",
            None,
            constants="int64[8] a = {0, 0, 1, 1, 0, 0, 0, 0}",
        ),
        Example(
            "float[1,1,4,4] x",
            "p = Pad(x, a)  y = AveragePool<kernel_shape = [2, 2]>(p)",
            None,
            constants="int64[8] a = {0, 0, 2, 0, 0, 0, 0, 0}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        pad = producer(node.inputs[0], "Pad")
        if pad is None or len(node.outputs) > 1:
            return NOT_HERE
        r, op = Reader(node), Pad.decode(Reader(pad))
        if op.begin is None or op.end is None or op.mode != "constant" or any((*op.begin[:2], *op.end[:2])):
            return Miss("the padding is computed, not in constant mode, or of batch or channels")
        if min(*op.begin, *op.end) < 0 or r.string("auto_pad", "NOTSET") not in ("NOTSET", ""):
            return Miss("the padding crops, or the window has `auto_pad`")
        fill = 0.0 if len(pad.inputs) < 3 or pad.inputs[2] is None else scalar(pad.inputs[2])
        if fill != (float("-inf") if node.op_type == "MaxPool" else 0.0):
            return Miss("the padding's value is not that of the window's own padding")
        n = len(op.begin) - 2
        own = r.ints("pads", (0,) * (2 * n))
        attributes: dict[str, Any] = {k: a.value for k, a in node.attributes.items() if k not in ("pads", "auto_pad")}
        if node.op_type == "AveragePool":
            if any(own) and not r.integer("count_include_pad", 0):
                return Miss("the window does not count its own padding")
            if r.integer("ceil_mode", 0):
                return Miss("ceil_mode counts padding and overhang differently")
            attributes["count_include_pad"] = 1
        pads = [a + b for a, b in zip(own, (*op.begin[2:], *op.end[2:]), strict=True)]
        if node.op_type != "Conv" and any(p >= k for p, k in zip(pads, r.ints("kernel_shape", ()) * 2, strict=True)):
            return Miss("the padding is as wide as the window")
        attributes["pads"] = pads
        return [g.op(node.op_type, op.x, *node.inputs[1:], **attributes)]
