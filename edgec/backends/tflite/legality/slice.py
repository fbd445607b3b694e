"""Slices: SLICE for static sizes and steps of 1, otherwise STRIDED_SLICE."""

from __future__ import annotations

from edgec.backends.legality import Family
from edgec.backends.tflite.legality.common import type_reject
from edgec.dialect.reject import Reject
from edgec.ops.shape import Slice
from edgec.spec.target import Target


def _sliced(op: Slice, target: Target) -> Reject | None:
    if op.axes is None or op.steps is None:
        return Reject("slice-computed", "the axes or the steps are computed by the model")
    if not op.is_constant and any(step < 0 for step in op.steps):
        return Reject("slice-computed-backwards", "the bounds are computed by the model, and a step is negative")
    return type_reject(op, [op.x])


FAMILIES = (Family(Slice, "Slice", _sliced),)
