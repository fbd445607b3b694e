"""Decompositions of image operators that few targets have: Col2Im, MaxUnpool, RoiAlign, DeformConv."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import Array, static_shape
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.decompose.sampling import Sampler, sample


class Col2ImToConvTranspose(Rule):
    """Col2Im(x) -> a grouped ConvTranspose with one-hot filters, one for each element of a block (constant sizes)."""

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
        zeros = g.op("ConstantOfShape", g.ints(int(np.prod(natural))), value=ir.Tensor(np.zeros(1, x.dtype.numpy())))
        flat, index = (g.op("Reshape", v, g.ints(-1)) for v in (x, r.input(1)))
        found = g.op("Reshape", g.op("ScatterElements", zeros, index, flat, axis=0), g.ints(*natural))
        if wanted is None or wanted == natural:
            return [found]
        if any(a > b for a, b in zip(natural, wanted, strict=True)):
            return Miss("the given output shape is smaller than the inferred one")
        beyond = [b - a for a, b in zip(natural, wanted, strict=True)]
        return [g.op("Pad", found, g.ints(*(0,) * len(beyond), *beyond))]


class RoiAlignToMatMul(Rule):
    """RoiAlign(x, rois; avg) -> rows @ x @ columns, with interpolation weights computed from each region."""

    name = "roi-align-to-matmul"
    roots = ("RoiAlign",)
    examples = (
        Example(
            "float[1,2,4,4] x, float[1,4] r",
            'y = RoiAlign<mode = "avg", output_height = 2, output_width = 2, sampling_ratio = 1>(x, r, i)',
            "v0 = Mul(r, c0)  v1 = Sub(v0, c1)  v2, v3, v4, v5 = Split<axis = 1>(v1, c2)  v6 = Sub(v4, v2)  "
            "v7 = Mul(v6, c3)  v8 = Add(v2, v7)  v9 = Less(v8, c4)  v10 = Greater(v8, c5)  "
            "v11 = Clip(v8, c6, c7)  v12 = Unsqueeze(v11, c8)  v13 = Sub(v12, c9)  v14 = Abs(v13)  "
            "v15 = Sub(c10, v14)  v16 = Relu(v15)  v17 = Or(v9, v10)  v18 = Unsqueeze(v17, c11)  "
            "v19 = Where(v18, c12, v16)  v20 = Reshape(v19, c13)  v21 = ReduceMean<keepdims = 0>(v20, c14)  "
            "v22 = Sub(v5, v3)  v23 = Mul(v22, c15)  v24 = Add(v3, v23)  v25 = Less(v24, c16)  "
            "v26 = Greater(v24, c17)  v27 = Clip(v24, c18, c19)  v28 = Unsqueeze(v27, c20)  v29 = Sub(v28, c21)  "
            "v30 = Abs(v29)  v31 = Sub(c22, v30)  v32 = Relu(v31)  v33 = Or(v25, v26)  "
            "v34 = Unsqueeze(v33, c23)  v35 = Where(v34, c24, v32)  v36 = Reshape(v35, c25)  "
            "v37 = ReduceMean<keepdims = 0>(v36, c26)  v38 = Gather<axis = 0>(x, c27)  "
            "v39 = Unsqueeze(v37, c28)  v40 = MatMul(v39, v38)  v41 = Unsqueeze(v21, c29)  "
            "v42 = Transpose<perm = [0, 1, 3, 2]>(v41)  y = MatMul(v40, v42)",
            constants="int64[1] i = {0}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, rois, samples = r.input(0), r.input(1), r.integer("sampling_ratio", 0)
        shape = static_shape(x)
        if shape is None or static_shape(rois) is None:
            return Miss("the shape is not static")
        if samples <= 0 or r.string("mode", "avg") != "avg":
            return Miss("the number of samples depends on the regions, or the mode is max")
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
    """(R, bins, size): the weight of each pixel along an axis in each bin of each region, averaged over its samples.

    `start` and `end` are (R, 1), in pixels. Without half pixels, regions are at least one pixel long.
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
    """DeformConv(x, w, offset, b, mask) -> x sampled at the displaced taps, then a grouped product (2-D, static)."""

    name = "deform-conv-to-matmul"
    roots = ("DeformConv",)
    examples = (
        Example(
            "float[1,1,3,3] x, float[1,2,3,3] o",
            "y = DeformConv<kernel_shape = [1, 1]>(x, w, o)",
            "v0 = Reshape(o, c0)  v1 = Gather<axis = 2>(v0, c1)  v2 = Add(v1, c2)  "
            "v3 = Gather<axis = 2>(v0, c3)  v4 = Add(v3, c4)  v5 = Reshape(v2, c5)  v6 = Reshape(v4, c6)  "
            "v7 = Reshape(x, c7)  v8 = Pad(v7, c8)  v9 = Reshape(v8, c9)  v10 = Floor(v5)  v11 = Sub(v5, v10)  "
            "v12 = Sub(c10, v11)  v13 = Add(v10, c11)  v14 = Clip(v10, c12, c13)  v15 = Add(v14, c14)  "
            "v16 = Cast<to = 6>(v15)  v17 = Clip(v13, c15, c16)  v18 = Add(v17, c17)  v19 = Cast<to = 6>(v18)  "
            "v20 = Floor(v6)  v21 = Sub(v6, v20)  v22 = Sub(c18, v21)  v23 = Add(v20, c19)  "
            "v24 = Clip(v20, c20, c21)  v25 = Add(v24, c22)  v26 = Cast<to = 6>(v25)  v27 = Clip(v23, c23, c24)  "
            "v28 = Add(v27, c25)  v29 = Cast<to = 6>(v28)  v30 = Mul(v16, c26)  v31 = Add(v30, v26)  "
            "v32 = Reshape(v31, c27)  v33 = Gather<axis = 1>(v9, v32)  v34 = Reshape(v33, c28)  "
            "v35 = Mul(v12, v22)  v36 = Unsqueeze(v35, c29)  v37 = Mul(v34, v36)  v38 = Mul(v16, c30)  "
            "v39 = Add(v38, v29)  v40 = Reshape(v39, c31)  v41 = Gather<axis = 1>(v9, v40)  "
            "v42 = Reshape(v41, c32)  v43 = Mul(v12, v21)  v44 = Unsqueeze(v43, c33)  v45 = Mul(v42, v44)  "
            "v46 = Add(v37, v45)  v47 = Mul(v19, c34)  v48 = Add(v47, v26)  v49 = Reshape(v48, c35)  "
            "v50 = Gather<axis = 1>(v9, v49)  v51 = Reshape(v50, c36)  v52 = Mul(v11, v22)  "
            "v53 = Unsqueeze(v52, c37)  v54 = Mul(v51, v53)  v55 = Add(v46, v54)  v56 = Mul(v19, c38)  "
            "v57 = Add(v56, v29)  v58 = Reshape(v57, c39)  v59 = Gather<axis = 1>(v9, v58)  "
            "v60 = Reshape(v59, c40)  v61 = Mul(v11, v21)  v62 = Unsqueeze(v61, c41)  v63 = Mul(v60, v62)  "
            "v64 = Add(v55, v63)  v65 = Reshape(v64, c42)  v66 = Reshape(c43, c44)  v67 = MatMul(v66, v65)  "
            "y = Reshape(v67, c45)",
            constants="float[2,1,1,1] w = {2, -1}",
        ),
    )

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
    """For each axis (taps, points): the coordinate of each tap of each window before displacement."""
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
