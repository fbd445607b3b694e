"""Pools with dilated windows: one strided slice for each window position, axis by axis."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array
from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Ints, Reader, Value
from edgec.ops.pool import AveragePool, MaxPool
from edgec.ops.spatial import Window
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class DilatedPoolToSlices(Rule):
    """MaxPool and AveragePool with dilation -> Max or Add of strided Slices, axis by axis."""

    name = "dilated-pool-to-slices"
    roots = ("MaxPool", "AveragePool")
    examples = (
        Example(
            "float[1,2,6,6] x",
            "y = MaxPool<kernel_shape = [2, 2], dilations = [2, 2]>(x)",
            "t = Slice(x, c, d, e, f)  z = Slice(x, g, h, p, q)  v = Max(t, z)  o = Slice(v, r, s, w, c0)  "
            "k = Slice(v, c1, c2, c3, c4)  y = Max(o, k)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = MaxPool.decode(Reader(node)) if node.op_type == "MaxPool" else AveragePool.decode(Reader(node))
        if all(d == 1 for d in op.window.dilations):
            return NOT_HERE
        shape, out = static_shape(op.x), static_shape(op.y)
        if shape is None or out is None or op.x.dtype is None or not op.x.dtype.is_floating_point():
            return Miss("the shape is not static, or the elements are integers")
        if isinstance(op, MaxPool) and op.has_indices:
            return Miss("the indices of the maxima are used")
        if isinstance(op, MaxPool):
            return [_combined("Max", _padded(op, shape, out, -np.inf, g), op.window, out, g)]
        total = _combined("Add", _padded(op, shape, out, 0.0, g), op.window, out, g)
        return [g.op("Div", total, g.const(_counts(op, shape, out), dtype=op.x.dtype))]


def _padded(op: MaxPool | AveragePool, shape: Ints, out: Ints, fill: float, g: GraphBuilder) -> Value:
    """x with the padding that the output's windows cover."""
    w = op.window
    ends = [
        max(0, (o - 1) * s + extent - size - p)
        for size, o, extent, s, p in zip(shape[2:], out[2:], w.extent, w.strides, w.pads_begin, strict=True)
    ]
    pads = [0, 0, *w.pads_begin, 0, 0, *ends]
    return g.op("Pad", op.x, g.ints(*pads), g.like(fill, op.x)) if any(pads) else op.x


def _combined(kind: str, x: Value, w: Window, out: Ints, g: GraphBuilder) -> Value:
    """The maximum (or sum) over a box, computed axis by axis."""
    y = x
    for i, size in enumerate(out[2:]):
        parts = []
        for place in range(w.kernel[i]):
            start = place * w.dilations[i]
            end = start + (size - 1) * w.strides[i] + 1
            parts.append(g.op("Slice", y, g.ints(start), g.ints(end), g.ints(i + 2), g.ints(w.strides[i])))
        y = parts[0]
        for part in parts[1:]:
            y = g.op(kind, y, part)
    return y


def _counts(op: AveragePool, shape: Ints, out: Ints) -> Array:
    """The number of elements averaged by each window, (1, 1, spatial…): ceil_mode's overhang never counts."""
    w = op.window
    counts = np.ones((1,) * len(out))
    for i, (size, o) in enumerate(zip(shape[2:], out[2:], strict=True)):
        at = np.arange(o)[:, None] * w.strides[i] - w.pads_begin[i] + np.arange(w.kernel[i]) * w.dilations[i]
        low, high = (-w.pads_begin[i], size + w.pads_end[i]) if op.count_include_pad else (0, size)
        inside = ((at >= low) & (at < high)).sum(axis=1)
        counts = counts * inside.reshape([-1 if j == i + 2 else 1 for j in range(len(out))])
    return np.asarray(counts)
