"""Operators whose results have a data-dependent number of rows."""

from __future__ import annotations

from edgec.backends.legality import Family
from edgec.backends.tflite.legality.common import type_reject
from edgec.dialect.reject import Reject
from edgec.ops.gather import NonMaxSuppression, NonZero
from edgec.rules.decompose.detection import is_single
from edgec.spec.target import Target


def _non_zero(op: NonZero, target: Target) -> Reject | None:
    if not op.x.shape:
        return Reject("nonzero-scalar", "the operand is a scalar")
    return type_reject(op, [op.x])


def _suppression(op: NonMaxSuppression, target: Target) -> Reject | None:
    if None in (op.max_output, op.iou_threshold, op.score_threshold):
        return Reject("nms-computed", "a threshold or the number of boxes to keep is computed by the model")
    if not is_single(op):
        return Reject("nms-classes", "there are too many images and classes, or their number is unknown")
    return type_reject(op, [op.boxes, op.scores])


FAMILIES = (
    Family(NonZero, "NonZero", _non_zero),
    Family(NonMaxSuppression, "NonMaxSuppression", _suppression),
)
