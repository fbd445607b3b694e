"""Pools on channels-last data."""

from __future__ import annotations

from edgec.backends.legality import Family
from edgec.backends.tflite.legality.common import type_reject
from edgec.backends.tflite.ops import NHWC, AveragePoolNHWC, MaxPoolNHWC
from edgec.dialect.reject import Reject
from edgec.spec.target import Target


def _pool(op: MaxPoolNHWC | AveragePoolNHWC, target: Target) -> Reject | None:
    label = op.node.op_type.lower()
    if len(op.x.shape or ()) != 4:
        return Reject(f"{label}-rank", "pools support two spatial dimensions")
    if any(d != 1 for d in op.window.dilations):
        return Reject(f"{label}-dilation", "pools have no dilation")
    if isinstance(op, MaxPoolNHWC) and op.has_indices:
        return Reject("maxpool-indices", "MAX_POOL_2D does not return the indices of the maxima")
    return type_reject(op, [op.x])


FAMILIES = (
    Family(MaxPoolNHWC, f"{NHWC}::MaxPool", _pool),
    Family(AveragePoolNHWC, f"{NHWC}::AveragePool", _pool),
)
