"""3-D convolutions as sums of 2-D ones: no delegate supports CONV_3D, all support CONV_2D."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgec.backends.tflite.expand.conv import window_attributes
from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.conv import Conv
from edgec.ops.spatial import Window
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

_CHANNELS_FIRST, _CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


class VolumeToPlanes(Rule):
    """3-D Conv -> the sum, over the shortest axis of its window, of Convs over the other two.

    Positions along that axis become the batch. Data are moved in the channels-last layout, where transposes of
    neighbours cancel.
    """

    name = "volume-to-planes"
    roots = ("Conv",)
    examples = (
        Example(
            "float[1,2,4,3,3] x",
            "y = Conv<pads = [0,1,1,0,1,1]>(x, w, b)",
            "t = Transpose<perm = [0,2,3,4,1]>(x)  r = Reshape(t, s)  p = Transpose<perm = [0,3,1,2]>(r)  "
            "c = Conv(p, v, b)  q = Transpose<perm = [0,2,3,1]>(c)  u = Reshape(q, z)  "
            "y = Transpose<perm = [0,4,1,2,3]>(u)",
            constants=f"float[1,2,1,3,3] w = {{{', '.join(str(i) for i in range(18))}}}, float[1] b = {{1}}",
        ),
        Example(
            "float[1,1,4,3,3] x",
            "y = Conv(x, w)",
            "t = Transpose<perm = [0,2,3,4,1]>(x)  d = Slice(t, s, e, a)  r = Reshape(d, n)  "
            "p = Transpose<perm = [0,3,1,2]>(r)  f = Slice(t, s, e, a)  g = Reshape(f, n)  "
            "h = Transpose<perm = [0,3,1,2]>(g)  c = Conv(p, v)  i = Conv(h, j)  k = Add(c, i)  "
            "q = Transpose<perm = [0,2,3,1]>(k)  "
            "u = Reshape(q, z)  y = Transpose<perm = [0,4,1,2,3]>(u)",
            constants=f"float[1,1,2,3,3] w = {{{', '.join(str(i) for i in range(18))}}}",
        ),
        Example("float[1,1,3,3] x, float[1,1,2,2] w", "y = Conv(x, w)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Conv.decode(Reader(node))
        if len(op.window.kernel) != 3:
            return NOT_HERE
        shape, out, weight = static_shape(op.x), static_shape(node.outputs[0]), constant(op.w)
        if shape is None or out is None or weight is None:
            return Miss("the shape or the weight is unknown")
        if 0 in shape or 0 in out:
            return NOT_HERE
        cut = _Cut.of(op.window)
        planes = _planes(op.x, cut, out[2 + cut.axis], g)
        rest = window_attributes(cut.plane)
        total: Value | None = None
        for i, x in enumerate(planes):
            bias = op.b if total is None else None
            w = g.const(np.ascontiguousarray(np.take(weight, i, axis=2 + cut.axis)))
            y = g.op("Conv", x, w, bias, group=op.groups, **rest)
            total = y if total is None else g.op("Add", total, y)
        assert total is not None
        sizes = (out[0], out[2 + cut.axis], *(out[2 + a] for a in cut.others), out[1])
        wide = g.op("Reshape", g.op("Transpose", total, perm=list(_CHANNELS_LAST)), g.ints(*sizes))
        back = [int(i) for i in np.argsort(cut.order)]
        return [g.op("Transpose", wide, perm=back)]


@dataclass(frozen=True)
class _Cut:
    """The axis (0, 1 or 2) along which a window is split, the other two, and their window."""

    axis: int
    others: tuple[int, int]
    window: Window

    @staticmethod
    def of(window: Window) -> _Cut:
        """Split along the shortest side; of equal ones the first, which needs no transpose of channels-last data."""
        axis = min(range(3), key=lambda a: window.kernel[a])
        first, second = (a for a in range(3) if a != axis)
        return _Cut(axis, (first, second), window)

    @property
    def order(self) -> tuple[int, ...]:
        """From (N, C, D, H, W) to (N, axis, others…, C)."""
        return (0, 2 + self.axis, *(2 + a for a in self.others), 1)

    @property
    def plane(self) -> Window:
        """The window of the other two axes."""
        w = self.window
        sides = (w.kernel, w.strides, w.dilations, w.pads_begin, w.pads_end)
        return Window(*(tuple(side[a] for a in self.others) for side in sides))


def _planes(x: Value, cut: _Cut, count: int, g: GraphBuilder) -> list[Value]:
    """For each element of the window along the axis: the data that it multiplies, (N * count, C, other axes)."""
    w, axis = cut.window, cut.axis
    last = g.op("Transpose", x, perm=list(cut.order))
    begin, end = w.pads_begin[axis], w.pads_end[axis]
    if begin or end:
        last = g.op("Pad", last, g.ints(0, begin, 0, 0, 0, 0, end, 0, 0, 0))
    n, size, *rest = static_shape(last) or ()
    planes = []
    for i in range(w.kernel[axis]):
        start, step = i * w.dilations[axis], w.strides[axis]
        stop = start + (count - 1) * step + 1
        part = last
        if (start, stop) != (0, size):
            part = g.op("Slice", last, g.ints(start), g.ints(stop), g.ints(1), *([g.ints(step)] if step > 1 else []))
        flat = g.op("Reshape", part, g.ints(n * count, *rest))
        planes.append(g.op("Transpose", flat, perm=list(_CHANNELS_FIRST)))
    return planes
