"""Resizes without a LiteRT kernel, and those of another rank than its kernels'."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.backends.tflite.legality.resize import kernel_of
from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.image import Resize
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.resize import ResizeToMatMul, nearest_indices


class ResizeWithoutKernel(ResizeToMatMul):
    """Resize without an exact builtin -> Gather (nearest) or products with constant matrices along its axes."""

    name = "resize-without-kernel"
    examples = (
        Example(
            "float[1,2,4,4] x",
            'y = Resize<mode = "cubic">(x, , s)',
            "t = MatMul(c, x)  y = MatMul(t, d)",
            constants="float[4] s = {1, 1, 2, 2}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Resize.decode(Reader(node))
        shape, out = static_shape(op.x), op.out_shape
        if shape is None or out is None or op.scales is None or op.roi is None:
            rank = len(op.x.shape or ())
            fits = op.x.dtype == ir.DataType.FLOAT and kernel_of(op, tuple(range(2, rank))) is not None
            return NOT_HERE if rank == 4 and fits else Miss("the sizes are not static")
        if len(shape) in (3, 4) and op.x.dtype == ir.DataType.FLOAT and kernel_of(op, tuple(range(2, len(shape)))):
            return NOT_HERE
        if op.mode != "nearest" or op.transform == "tf_crop_and_resize":
            return super().apply(node, g)
        y = op.x
        for axis, (size, new, scale) in enumerate(zip(shape, out, op.scales, strict=True)):
            if size != new or scale != 1.0:
                y = g.op("Gather", y, g.const(nearest_indices(op, axis, size, new, scale)), axis=axis)
        return [y if y is not op.x else g.op("Identity", y)]


class ResizeThreeDimensions(Rule):
    """Resize of (N, C, W) -> Resize of (N, C, 1, W)."""

    name = "resize-three-dimensions"
    roots = ("Resize",)
    examples = (
        Example(
            "float[1,2,4] x",
            'y = Resize<mode = "linear">(x, , s)',
            't = Reshape(x, c)  z = Resize<mode = "linear">(t, , , d)  y = Reshape(z, e)',
            constants="float[3] s = {1, 1, 2}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Resize.decode(Reader(node))
        shape, out = static_shape(op.x), op.out_shape
        if shape is None or out is None or len(shape) != 3 or kernel_of(op, (2,)) is None:
            return NOT_HERE
        assert op.scales is not None
        sizes = op.sizes()
        wide = g.op("Reshape", op.x, g.ints(shape[0], shape[1], 1, shape[2]))
        factors: tuple[Value | None, ...]
        if sizes is None:
            factors = (None, g.const(np.asarray([*op.scales[:2], 1.0, op.scales[2]], dtype=np.float32)))
        else:
            factors = (None, None, g.ints(*sizes[:2], 1, sizes[2]))
        kept = {k: a.value for k, a in node.attributes.items() if k not in ("axes", "keep_aspect_ratio_policy")}
        y = g.op("Resize", wide, *factors, **kept)
        y.shape = ir.Shape([out[0], out[1], 1, out[2]])
        return [g.op("Reshape", y, g.ints(*out))]
