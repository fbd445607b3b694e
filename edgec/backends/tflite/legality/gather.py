"""Indexing."""

from __future__ import annotations

import math

from edgec.backends.legality import Family
from edgec.backends.tflite.legality.common import static_reject, takes, type_reject
from edgec.dialect.reject import Reject
from edgec.ir.model import constant, static_shape
from edgec.ops.gather import Gather, GatherND, OneHot, ScatterND
from edgec.spec.target import Target


def _gather_nd(op: GatherND, target: Target) -> Reject | None:
    if op.batch_dims:
        return Reject("gather-nd-batch", "GATHER_ND does not support batch dimensions")
    return type_reject(op, [op.x])


def _scatter(op: ScatterND, target: Target) -> Reject | None:
    if op.reduction not in ("none", "add"):
        return Reject(f"scatter-nd-{op.reduction}", "SCATTER_ND adds")
    if op.reduction == "none" and is_single(op) and [*map(_is_open, (op.x.shape or ())[1:])].count(True) <= 1:
        return type_reject(op, [op.x])
    return type_reject(op, [op.x]) or static_reject([op.x], "scatter-nd")


def _one_hot(op: OneHot, target: Target) -> Reject | None:
    if op.depth is None or constant(op.values) is None:
        return Reject("one-hot-computed", "the depth or the values are computed by the model")
    return type_reject(op, [op.values])


def is_single(op: ScatterND) -> bool:
    """Whether one slice is written, at one position: DYNAMIC_UPDATE_SLICE supports that for open sizes too."""
    shape = static_shape(op.indices)
    return shape is not None and math.prod(shape[:-1]) == 1


def _is_open(size: object) -> bool:
    return not isinstance(size, int)


FAMILIES = (
    Family(Gather, "Gather", takes(lambda op: [op.x])),
    Family(GatherND, "GatherND", _gather_nd),
    Family(ScatterND, "ScatterND", _scatter),
    Family(OneHot, "OneHot", _one_hot),
)
