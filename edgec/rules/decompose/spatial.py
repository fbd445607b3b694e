"""Operators on images that few targets have: Col2Im, MaxUnpool, RoiAlign, DeformConv."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import Array, static_shape
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.decompose.sampling import Sampler, sample


class Col2ImToConvTranspose(Rule):
    """Col2Im(x) -> a grouped ConvTranspose whose filters put each column's element in its place (constant sizes)."""

    name = "col2im-to-conv-transpose"
    roots = ("Col2Im",)
    examples = (
        Example(
            "float[1,4,6] x",
            "y = Col2Im(x, image, block)",
            "r = Reshape(x, s)  y = ConvTranspose<group = 1, dilations = [1, 1], output_padding = [0, 0], "
            "pads = [0, 0, 0, 0], strides = [1, 1]>(r, w)",
            constants="int64[2] image = {3, 4}, int64[2] block = {2, 2}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, image, block = r.input(0), r.const_ints(1), r.const_ints(2)
        shape = static_shape(x)
        if shape is None or image is None or block is None:
            return Miss("the sizes are not constant")
        n = len(image)
        ones, pads = (1,) * n, r.ints("pads", (0,) * (2 * n))
        strides, dilations = r.ints("strides", ones), r.ints("dilations", ones)
        extent = [d * (k - 1) + 1 for d, k in zip(dilations, block, strict=True)]
        padded = [size + pads[i] + pads[n + i] for i, size in enumerate(image)]
        blocks = [(p - e) // s + 1 for p, e, s in zip(padded, extent, strides, strict=True)]
        left = [p - ((b - 1) * s + e) for p, b, s, e in zip(padded, blocks, strides, extent, strict=True)]
        taps = int(np.prod(block))
        channels = shape[1] // taps
        weight = np.tile(np.eye(taps).reshape(taps, 1, *block), (channels, *(1,) * (n + 1)))
        columns = g.op("Reshape", x, g.ints(shape[0], shape[1], *blocks))
        return [
            g.op(
                "ConvTranspose",
                columns,
                g.const(weight, dtype=x.dtype),
                group=channels,
                dilations=list(dilations),
                output_padding=left,
                pads=list(pads),
                strides=list(strides),
            )
        ]


class MaxUnpoolToScatter(Rule):
    """MaxUnpool(x, indices) -> ScatterElements of the flat values into zeros (static shapes)."""

    name = "max-unpool-to-scatter"
    roots = ("MaxUnpool",)
    examples = (
        Example(
            "float[1,1,2,2] x",
            "y = MaxUnpool<kernel_shape = [2, 2], strides = [2, 2]>(x, i)",
            "z = ConstantOfShape(n)  f = Reshape(x, s)  j = Reshape(i, s)  c = ScatterElements<axis = 0>(z, j, f)  "
            "y = Reshape(c, t)",
            constants="int64[1,1,2,2] i = {5, 7, 13, 15}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, kernel, wanted = r.input(0), r.ints("kernel_shape", ()), r.const_ints(2)
        shape, n = static_shape(x), len(kernel)
        if shape is None or x.dtype is None or (r.optional(2) is not None and wanted is None):
            return Miss("the sizes are not constant")
        strides, pads = r.ints("strides", (1,) * n), r.ints("pads", (0,) * (2 * n))
        sizes = [(shape[2 + i] - 1) * strides[i] - pads[i] - pads[n + i] + kernel[i] for i in range(n)]
        natural = (*shape[:2], *sizes)
        zeros = g.op("ConstantOfShape", g.ints(int(np.prod(natural))), value=ir.tensor(np.zeros(1, x.dtype.numpy())))
        flat, index = (g.op("Reshape", v, g.ints(-1)) for v in (x, r.input(1)))
        found = g.op("Reshape", g.op("ScatterElements", zeros, index, flat, axis=0), g.ints(*natural))
        if wanted is None or wanted == natural:
            return [found]
        if any(a > b for a, b in zip(natural, wanted, strict=True)):
            return Miss("the output shape is smaller than the natural one")
        beyond = [b - a for a, b in zip(natural, wanted, strict=True)]
        return [g.op("Pad", found, g.ints(*(0,) * len(beyond), *beyond))]


class RoiAlignToMatMul(Rule):
    """RoiAlign(x, rois; avg) -> rows @ x @ columns, with interpolation weights computed from each region."""

    name = "roi-align-to-matmul"
    roots = ("RoiAlign",)
    examples = ()

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, rois, samples = r.input(0), r.input(1), r.integer("sampling_ratio", 0)
        shape = static_shape(x)
        if shape is None or static_shape(rois) is None:
            return Miss("the shape is not static")
        if samples <= 0 or r.string("mode", "avg") != "avg":
            return Miss("the number of samples depends on the regions, or their maximum is taken")
        shift = 0.5 if r.string("coordinate_transformation_mode", "half_pixel") == "half_pixel" else 0.0
        scaled = g.op("Mul", rois, g.like(r.number("spatial_scale", 1.0), rois))
        corners = g.multi("Split", 4, g.op("Sub", scaled, g.like(shift, rois)), g.ints(1, 1, 1, 1), axis=1)
        bins = (r.integer("output_width", 1), r.integer("output_height", 1))
        columns, rows = (
            _bin_weights(corners[i], corners[i + 2], bins[i], samples, shape[3 - i], shift > 0, g) for i in (0, 1)
        )
        images = g.op("Gather", x, r.input(2), axis=0)
        across = g.op("MatMul", g.op("Unsqueeze", rows, g.ints(1)), images)
        return [g.op("MatMul", across, g.op("Transpose", g.op("Unsqueeze", columns, g.ints(1)), perm=[0, 1, 3, 2]))]


def _bin_weights(start: Value, end: Value, bins: int, samples: int, size: int, exact: bool, g: GraphBuilder) -> Value:
    """(R, bins, size): the weight of each pixel of an axis in each bin of each region, averaged over its samples.

    `start` and `end` are (R, 1), in pixels. Without half pixels a region is at least one pixel long.
    """
    length = g.op("Sub", end, start)
    if not exact:
        length = g.op("Max", length, g.like(1, length))
    steps = (np.arange(bins * samples) + 0.5) / (samples * bins)
    at = g.op("Add", start, g.op("Mul", length, g.const(steps[None], dtype=start.dtype)))
    below, above = g.op("Less", at, g.like(-1, at)), g.op("Greater", at, g.like(size, at))
    clipped = g.op("Clip", at, g.like(0, at), g.like(size - 1, at))
    distance = g.op("Abs", g.op("Sub", g.op("Unsqueeze", clipped, g.ints(2)), g.const(np.arange(size), dtype=at.dtype)))
    weight = g.op("Relu", g.op("Sub", g.like(1, at), distance))
    weight = g.op("Where", g.op("Unsqueeze", g.op("Or", below, above), g.ints(2)), g.like(0, at), weight)
    regions = (static_shape(start) or (0,))[0]
    return g.op("ReduceMean", g.op("Reshape", weight, g.ints(regions, bins, samples, size)), g.ints(2), keepdims=0)


class DeformConvToMatMul(Rule):
    """DeformConv(x, w, offset, b, mask) -> x read at the displaced taps, then a grouped product (2-D, static)."""

    name = "deform-conv-to-matmul"
    roots = ("DeformConv",)
    examples = ()

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, w, offset = r.input(0), r.input(1), r.input(2)
        shapes = [static_shape(v) for v in (x, w, offset)]
        if any(s is None or len(s) != 4 for s in shapes):
            return Miss("an input is not a static 4-D tensor")
        (n, c, h, width), (out, _, *kernel), (_, _, *sizes) = (s for s in shapes if s is not None)
        groups, regions = r.integer("group", 1), r.integer("offset_group", 1)
        taps, points = kernel[0] * kernel[1], sizes[0] * sizes[1]
        split = g.op("Reshape", offset, g.ints(n * regions, taps, 2, points))
        at = [
            g.op("Add", g.op("Gather", split, g.const(axis), axis=2), g.const(base[None], dtype=x.dtype))
            for axis, base in enumerate(_tap_places(r, kernel, sizes))
        ]
        flat = [g.op("Reshape", v, g.ints(n * regions, taps * points)) for v in at]
        image = g.op("Reshape", x, g.ints(n * regions, c // regions, h, width))
        found = sample(image, flat, Sampler("linear", "zeros", centres=True), g)
        mask = r.optional(4)
        if mask is not None:
            found = g.op("Mul", found, g.op("Reshape", mask, g.ints(n * regions, 1, taps * points)))
        columns = g.op("Reshape", found, g.ints(n, groups, c // groups * taps, points))
        weight = g.op("Reshape", w, g.ints(groups, out // groups, c // groups * taps))
        y = g.op("Reshape", g.op("MatMul", weight, columns), g.ints(n, out, *sizes))
        bias = r.optional(3)
        return [y if bias is None else g.op("Add", y, g.op("Reshape", bias, g.ints(out, 1, 1)))]


def _tap_places(r: Reader, kernel: list[int], sizes: list[int]) -> list[Array]:
    """For each axis (taps, points): where each tap of each window lies before it is displaced."""
    strides, dilations = r.ints("strides", (1, 1)), r.ints("dilations", (1, 1))
    pads = r.ints("pads", (0, 0, 0, 0))
    steps = [
        (np.arange(k) * d)[:, None] + (np.arange(o) * s - p)[None]
        for k, d, o, s, p in zip(kernel, dilations, sizes, strides, pads[:2], strict=True)
    ]
    rows = np.broadcast_to(steps[0][:, None, :, None], (*kernel, *sizes))
    columns = np.broadcast_to(steps[1][None, :, None, :], (*kernel, *sizes))
    taps, points = kernel[0] * kernel[1], sizes[0] * sizes[1]
    return [rows.reshape(taps, points), columns.reshape(taps, points)]
