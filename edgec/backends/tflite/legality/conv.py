"""Convolutions on channels-last data."""

from __future__ import annotations

from edgec.backends.legality import Family
from edgec.backends.tflite.legality.common import type_reject
from edgec.backends.tflite.ops import NHWC, ConvNHWC, ConvTransposeNHWC
from edgec.dialect.reject import Reject
from edgec.spec.target import Target


def _conv(op: ConvNHWC, target: Target) -> Reject | None:
    rank = len(op.x.shape or ())
    if rank not in (4, 5):
        return Reject(f"conv-rank-{rank}", "convolutions support one to three spatial dimensions")
    return type_reject(op, [op.x])


def _transposed(op: ConvTransposeNHWC, target: Target) -> Reject | None:
    rank = len(op.x.shape or ())
    if rank not in (4, 5):
        return Reject(f"conv-transpose-rank-{rank}", "transposed convolutions support one to three spatial dimensions")
    if any(d != 1 for d in op.window.dilations):
        return Reject("conv-transpose-dilation", "the kernels of transposed convolutions do not support dilation")
    return type_reject(op, [op.x])


FAMILIES = (
    Family(ConvNHWC, f"{NHWC}::Conv", _conv),
    Family(ConvTransposeNHWC, f"{NHWC}::ConvTranspose", _transposed),
)
