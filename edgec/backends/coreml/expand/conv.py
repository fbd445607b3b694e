"""Convolutions with a computed weight: MIL's `conv` supports one without dilation, `conv_transpose` none."""

from __future__ import annotations

import math

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Ints, Reader, Value
from edgec.ops.conv import Conv, ConvTranspose
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class ComputedTransposedConvToConv(Rule):
    """ConvTranspose(x, w) with a computed w -> Conv of x with zeros between its elements and w mirrored.

    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), section 4.
    """

    name = "computed-conv-transpose-to-conv"
    roots = ("ConvTranspose",)
    examples = (
        Example(
            "float[1,2,4] x, float[2,3,2] w",
            "y = ConvTranspose(x, w)",
            "t = Pad(x, c, d)  z = Reshape(w, e)  v = Transpose<perm = [0, 2, 1, 3]>(z)  o = Reshape(v, f)  "
            "k = Slice(o, g, h, p, q)  y = Conv<kernel_shape = [2], dilations = [1], group = 1>(t, k, )",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = ConvTranspose.decode(Reader(node))
        if constant(op.w) is not None:
            return NOT_HERE
        shape, weight = static_shape(op.x), static_shape(op.w)
        if shape is None or weight is None:
            return Miss("the shape is not static")
        x, w = op.x, op.window
        for axis, stride in enumerate(w.strides, 2):
            x, shape = _spread(x, shape, axis, stride, g)
        begin = [e - 1 - p for e, p in zip(w.extent, w.pads_begin, strict=True)]
        end = [
            e - 1 - p + o - (s - 1)  # `_spread` adds zeros after the last element too
            for e, p, o, s in zip(w.extent, w.pads_end, op.output_padding, w.strides, strict=True)
        ]
        x = g.op("Pad", x, g.ints(0, 0, *begin, 0, 0, *end), g.like(0, x))
        turned = _mirrored(op.w, weight, op.groups, g)
        kernel, dilations = list(w.kernel), list(w.dilations)
        return [g.op("Conv", x, turned, op.b, kernel_shape=kernel, dilations=dilations, group=op.groups)]


class ComputedDilatedConvToConv(Rule):
    """Conv(x, w) with a computed w and dilations -> Conv with zeros between the weight's elements."""

    name = "computed-dilated-conv-to-conv"
    roots = ("Conv",)
    examples = (
        Example(
            "float[1,2,6] x, float[3,2,2] w",
            "y = Conv<dilations = [2]>(x, w)",
            "t = Reshape(w, c)  z = Pad(t, d, e)  v = Reshape(z, f)  o = Slice(v, g, h, p)  "
            "y = Conv<pads = [0, 0], strides = [1], group = 1>(x, o, )",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Conv.decode(Reader(node))
        window, shape = op.window, static_shape(op.w)
        if constant(op.w) is not None or all(d == 1 for d in window.dilations):
            return NOT_HERE
        if shape is None:
            return Miss("the shape is not static")
        w = op.w
        for axis, dilation in enumerate(window.dilations, 2):
            w, shape = _spread(w, shape, axis, dilation, g)
        axes = g.ints(*range(2, len(shape)))
        w = g.op("Slice", w, g.ints(*(0 for _ in window.extent)), g.ints(*window.extent), axes)
        pads = [*window.pads_begin, *window.pads_end]
        return [g.op("Conv", op.x, w, op.b, pads=pads, strides=list(window.strides), group=op.groups)]


def _spread(x: Value, shape: Ints, axis: int, stride: int, g: GraphBuilder) -> tuple[Value, Ints]:
    """Insert `stride - 1` zeros after every element along one axis."""
    if stride == 1:
        return x, shape
    before, behind = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    apart = g.op("Reshape", x, g.ints(before, shape[axis], 1, behind))
    padded = g.op("Pad", apart, g.ints(0, 0, 0, 0, 0, 0, stride - 1, 0), g.like(0, x))
    wide = (*shape[:axis], shape[axis] * stride, *shape[axis + 1 :])
    return g.op("Reshape", padded, g.ints(*wide)), wide


def _mirrored(w: Value, shape: Ints, groups: int, g: GraphBuilder) -> Value:
    """(C, M/groups, k…) -> (M, C/groups, k…), mirrored along the kernel."""
    taken, given, kernel = shape[0] // groups, shape[1], shape[2:]
    parts = g.op("Reshape", w, g.ints(groups, taken, given, math.prod(kernel)))
    swapped = g.op("Transpose", parts, perm=[0, 2, 1, 3])
    joined = g.op("Reshape", swapped, g.ints(groups * given, taken, *kernel))
    axes = range(2, len(shape))
    back = ([-1] * len(kernel), [-size - 1 for size in kernel], list(axes), [-1] * len(kernel))
    return g.op("Slice", joined, *(g.ints(*numbers) for numbers in back))
