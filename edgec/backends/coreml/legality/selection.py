"""Operators whose results have a data-dependent number of rows."""

from __future__ import annotations

from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ops.gather import NonMaxSuppression, NonZero
from edgec.rules.decompose.detection import box_count, is_single
from edgec.spec.target import Target

_MOST_KEPT = 1 << 16
"""The operation's results have as many rows as the most that it may keep."""


def _non_zero(op: NonZero, target: Target) -> Reject | None:
    return None if op.x.shape else Reject("nonzero-scalar", "the operand is a scalar")


def _suppression(op: NonMaxSuppression, target: Target) -> Reject | None:
    if None in (op.max_output, op.iou_threshold, op.score_threshold):
        return Reject("nms-computed", "a threshold or the number of boxes to keep is computed by the model")
    if not is_single(op):
        return Reject("nms-classes", "there are too many images and classes, or their number is unknown")
    if box_count(op) is None and (op.max_output or 0) > _MOST_KEPT:
        return Reject("nms-dynamic", "neither the number of boxes nor a bound on those to keep is known")
    return None


FAMILIES = (
    Family(NonZero, "NonZero", _non_zero),
    Family(NonMaxSuppression, "NonMaxSuppression", _suppression),
)
