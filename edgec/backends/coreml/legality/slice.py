"""Slices. bool is converted to float16."""

from __future__ import annotations

from edgec.backends.coreml.legality.common import rank_reject, static_reject
from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ops.shape import Slice
from edgec.spec.target import Target


def _sliced(op: Slice, target: Target) -> Reject | None:
    if op.axes is None or op.steps is None:
        return Reject("slice-computed", "the axes or the steps are computed by the model")
    if not op.is_constant and any(step < 0 for step in op.steps):
        return Reject("slice-computed-backwards", "the bounds are computed by the model, and a step is negative")
    if static_reject([op.x], "slice") is not None and any(step < 0 for step in op.steps or ()):
        return Reject("slice-dynamic-backwards", "an open dimension is sliced with a negative step")
    return rank_reject([op.x], target, "slice")


FAMILIES = (Family(Slice, "Slice", _sliced),)
