"""Resizes that MIL has no sampling mode for."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.ops.image import Resize
from edgec.rules.base import NOT_HERE, Miss, Replacement
from edgec.rules.decompose.resize import ResizeToMatMul

SAMPLING = {
    "half_pixel": "UNALIGN_CORNERS",
    "pytorch_half_pixel": "UNALIGN_CORNERS",
    "align_corners": "STRICT_ALIGN_CORNERS",
    "asymmetric": "DEFAULT",
}
"""`resize_bilinear`'s sampling mode for each of ONNX's coordinate transforms."""


def is_bilinear(op: Resize) -> bool:
    """Whether `resize_bilinear` computes exactly this."""
    shape, out = static_shape(op.x), op.out_shape
    if shape is None or out is None or op.scales is None or len(shape) != 4 or shape[:2] != out[:2]:
        return False
    exact = all(abs(o / i - s) < 1e-6 for i, o, s in zip(shape, out, op.scales, strict=True))
    exact = exact or op.transform == "align_corners"
    shrinks = op.antialias and any(s < 1 for s in op.scales)
    return op.mode == "linear" and op.transform in SAMPLING and exact and not shrinks and min(out[2:]) > 1


class UnsupportedResizeToMatMul(ResizeToMatMul):
    """Resize without an exact MIL operation -> products with constant matrices."""

    name = "unsupported-resize-to-matmul"

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        if is_bilinear(Resize.decode(Reader(node))):
            return NOT_HERE
        return super().apply(node, g)
