"""Depthwise convolutions with large windows, as sums of those for which XNNPACK has kernels."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgec.backends.tflite.expand.conv import window_attributes
from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.conv import Conv
from edgec.ops.spatial import Window
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

LARGEST_WINDOW = 25
"""The largest window of XNNPACK's depthwise kernels (f32-dwconv of 3, 4, 9 and 25 taps).

Beyond it XNNPACK convolves each channel with its general kernel, which was measured to take 5 to 9 times as long.
"""
MOST_PARTS = 64
"""Windows of more parts than this (above 40 x 40) are not split."""


class SplitDepthwiseWindow(Rule):
    """Depthwise Conv of more than 25 elements a window -> a sum of depthwise Convs of at most 25."""

    name = "split-depthwise-window"
    roots = ("Conv",)
    examples = (
        Example(
            "float[1,2,7,6] x",
            "y = Conv<group = 2, pads = [2,3,2,3]>(x, w, b)",
            "a = Conv(x, w, b)  v = Slice(x, s, e, t)  c = Conv(v, w)  y = Add(a, c)",
            constants=f"float[2,1,5,6] w = {{{', '.join(str(i % 7) for i in range(60))}}}, float[2] b = {{1, 2}}",
        ),
        Example(
            "float[1,2,2,2] x",
            "y = Conv<group = 2, pads = [3,3,3,3]>(x, w, b)",
            "v = Slice(x, s, e, t)  a = Conv(v, w, b)  c = Conv(x, w)  y = Add(a, c)",
            constants=f"float[2,1,7,7] w = {{{', '.join(str(i % 7) for i in range(98))}}}, float[2] b = {{1, 2}}",
        ),
        Example(
            "float[1,2,5,5] x",
            "y = Conv<group = 2, pads = [2,2,2,2]>(x, w)",
            None,
            constants=f"float[2,1,5,5] w = {{{', '.join(str(i) for i in range(50))}}}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Conv.decode(Reader(node))
        shape, weight = static_shape(op.x), constant(op.w)
        if not op.is_depthwise or len(op.window.kernel) != 2:
            return NOT_HERE
        parts = _parts(op.window.kernel)
        if len(parts) == 1:
            return NOT_HERE
        if shape is None or weight is None or op.groups != shape[1]:
            return Miss("the shape or the weight is unknown")
        if len(parts) > MOST_PARTS:
            return Miss(f"the window would be split into {len(parts)}")
        total: Value | None = None
        for part in parts:
            rows, columns = part.of(0), part.of(1)
            shifted = _shifted(op.x, shape[2:], op.window, part, g)
            if shifted is None:
                continue
            x, window = shifted
            bias = op.b if total is None else None
            w = g.const(weight[:, :, rows, columns])
            y = g.op("Conv", x, w, bias, group=op.groups, **window_attributes(window))
            total = y if total is None else g.op("Add", total, y)
        assert total is not None
        return [total]


@dataclass(frozen=True)
class _Part:
    """A rectangle of a window: its first row and column, and its size."""

    begin: tuple[int, int]
    size: tuple[int, int]

    def of(self, axis: int) -> slice:
        """The part's rows (axis 0) or columns (axis 1) of the weight."""
        return slice(self.begin[axis], self.begin[axis] + self.size[axis])


def _parts(kernel: tuple[int, ...]) -> list[_Part]:
    """Split into as many whole rows as fit a kernel, or into pieces of rows that are too long."""
    height, width = kernel
    if width > LARGEST_WINDOW:
        size = LARGEST_WINDOW
        return [_Part((i, j), (1, min(size, width - j))) for i in range(height) for j in range(0, width, size)]
    size = max(1, LARGEST_WINDOW // width)
    return [_Part((i, 0), (min(size, height - i), width)) for i in range(0, height, size)]


def _shifted(
    x: Value, sizes: tuple[int, ...], window: Window, part: _Part, g: GraphBuilder
) -> tuple[Value, Window] | None:
    """The input and window of a single part: its offset changes the padding, and negative padding crops the input.

    None if the part only covers padding.
    """
    begin, end = [], []
    for axis in range(2):
        dilation, before = window.dilations[axis], part.begin[axis]
        after = window.kernel[axis] - before - part.size[axis]
        begin.append(window.pads_begin[axis] - before * dilation)
        end.append(window.pads_end[axis] - after * dilation)
    cut = [a for a in range(2) if min(begin[a], end[a]) < 0]
    if cut:
        starts = [max(0, -begin[a]) for a in cut]
        ends = [sizes[a] - max(0, -end[a]) for a in cut]
        if any(start >= stop for start, stop in zip(starts, ends, strict=True)):
            return None
        x = g.op("Slice", x, g.ints(*starts), g.ints(*ends), g.ints(*(a + 2 for a in cut)))
    pads = [tuple(max(0, p) for p in side) for side in (begin, end)]
    return x, Window(part.size, window.strides, window.dilations, pads[0], pads[1])
