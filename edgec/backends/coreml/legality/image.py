"""Resizing and sampling of images: the equivalent MIL operation, if any."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.backends.coreml.legality.common import float_reject
from edgec.backends.coreml.options import CoreMLOptions
from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ir.model import static_shape
from edgec.ops.image import GridSample, Resize
from edgec.rules.decompose.resize import nearest_indices, repeats, whole_factors
from edgec.spec.target import Target

SAMPLING = {
    "half_pixel": "UNALIGN_CORNERS",
    "pytorch_half_pixel": "UNALIGN_CORNERS",
    "align_corners": "STRICT_ALIGN_CORNERS",
    "asymmetric": "DEFAULT",
}
"""`resize_bilinear`'s sampling mode for each of ONNX's coordinate transforms."""


_SPATIAL = (2, 3)


def is_bilinear(op: Resize) -> bool:
    """Whether `resize_bilinear` is equivalent."""
    shape, out = static_shape(op.x), op.out_shape
    if shape is None or out is None or op.scales is None or len(shape) != 4 or shape[:2] != out[:2]:
        return False
    exact = all(abs(o / i - s) < 1e-6 for i, o, s in zip(shape, out, op.scales, strict=True))
    exact = exact or op.transform == "align_corners"
    shrinks = op.antialias and any(s < 1 for s in op.scales)
    return op.mode == "linear" and op.transform in SAMPLING and exact and not shrinks and min(out[2:]) > 1


def native_operation(op: Resize) -> str | None:
    """The MIL operation for integer factors, or (from iOS 17 on) computed sizes. For static sizes it is only given for
    exact repetition; other resizes have `resize_bilinear`, or none.
    """
    before, after = op.x.shape, op.y.shape
    if before is None or after is None or len(before) != 4 or tuple(before[:2]) != tuple(after[:2]) or op.antialias:
        return None
    if op.mode == "nearest":
        return "upsample_nearest_neighbor" if repetitions(op) else None
    if (op.out_shape is not None and static_shape(op.x) is not None) or op.transform not in SAMPLING:
        return None
    if op.mode == "linear" and whole_factors(op, _SPATIAL) is not None:
        return "upsample_bilinear"
    stretched = op.mode == "linear" and op.is_stretched and op.axes[-2:] == _SPATIAL
    return "resize" if op.sizes_value is not None and stretched else None


def repetitions(op: Resize) -> dict[int, int] | None:
    """How often a nearest resize repeats each row and column; None if it is not a repetition."""
    shape, out, scales = static_shape(op.x), op.out_shape, op.scales
    if shape is None or out is None or scales is None:
        factors = whole_factors(op, _SPATIAL)
        return factors if factors is not None and all(repeats(op, i, factors) for i in _SPATIAL) else None
    if op.transform == "tf_crop_and_resize" or op.x.dtype not in (ir.DataType.FLOAT, ir.DataType.FLOAT16):
        return None
    if any(size == 0 or new % size for size, new in zip(shape, out, strict=True)):
        return None
    factors = {i: out[i] // shape[i] for i in _SPATIAL}
    taken = {i: nearest_indices(op, i, shape[i], out[i], scales[i]) for i in _SPATIAL}
    return factors if all(np.array_equal(taken[i], np.arange(out[i]) // k) for i, k in factors.items()) else None


RESAMPLE_MODES = {"linear": "bilinear", "nearest": "nearest"}
"""MIL's names of the modes."""


def is_resample(op: GridSample) -> bool:
    """Whether `resample` is equivalent: two spatial dimensions, not cubic."""
    return op.mode in RESAMPLE_MODES and len(op.x.shape or ()) == 4


def _resize(op: Resize, target: Target) -> Reject | None:
    options = target.options
    assert isinstance(options, CoreMLOptions)
    operation = native_operation(op)
    if operation == "resize" and options.is_before("iOS17"):
        return Reject("resize-computed", "resizes to computed sizes need iOS 17")
    if not is_bilinear(op) and operation is None:
        return Reject(f"resize-{op.mode}-{op.transform}", "resize_bilinear lacks this sampling, and a size is dynamic")
    return float_reject([op.x], "resize")


def _grid_sample(op: GridSample, target: Target) -> Reject | None:
    if not is_resample(op):
        return Reject(f"grid-sample-{op.mode}", "resample is only bilinear or nearest, and a size is dynamic")
    return float_reject([op.x, op.grid], "grid-sample")


FAMILIES = (
    Family(Resize, "Resize", _resize),
    Family(GridSample, "GridSample", _grid_sample),
)
