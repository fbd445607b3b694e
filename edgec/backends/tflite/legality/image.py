"""Resizes and space-to-depth operators on channels-last data."""

from __future__ import annotations

import onnx_ir as ir

from edgec.backends.legality import Family
from edgec.backends.tflite.legality.common import type_reject
from edgec.backends.tflite.legality.resize import kernel_of
from edgec.backends.tflite.ops import NHWC, DepthToSpaceNHWC, ResizeNHWC, SpaceToDepthNHWC
from edgec.dialect.reject import Reject
from edgec.ops.base import Reader
from edgec.ops.image import Resize
from edgec.spec.target import Target


def without_kernel(node: ir.Node) -> Reject | None:
    """The reason why no kernel computes a resize of (N, C, H, W), or None: it is legal once channels-last."""
    op = Resize.decode(Reader(node))
    fits = len(op.x.shape or ()) == 4 and kernel_of(op, (2, 3)) is not None
    return None if fits else Reject("resize-form", "no kernel computes it")


def _resize(op: ResizeNHWC, target: Target) -> Reject | None:
    if kernel_of(op, (1, 2)) is None:
        return Reject("resize-form", "no kernel computes this resize")
    return type_reject(op, [op.x])


FAMILIES = (
    Family(ResizeNHWC, f"{NHWC}::Resize", _resize),
    Family(DepthToSpaceNHWC, f"{NHWC}::DepthToSpace"),
    Family(SpaceToDepthNHWC, f"{NHWC}::SpaceToDepth"),
)
