"""Indexing. bool is converted to float16 where MIL does not support it."""

from __future__ import annotations

from edgec.backends.coreml.legality.common import rank_reject, static_reject
from edgec.backends.coreml.options import CoreMLOptions
from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ir.model import constant
from edgec.ops.gather import Gather, GatherElements, GatherND, OneHot, ScatterElements, ScatterND
from edgec.spec.target import Target


def _gather(op: Gather, target: Target) -> Reject | None:
    return rank_reject([op.y], target, "gather")


def _gather_elements(op: GatherElements, target: Target) -> Reject | None:
    mine, theirs = op.x.shape, op.indices.shape
    same = (
        mine is not None
        and theirs is not None
        and all(a == t for i, (a, t) in enumerate(zip(mine, theirs, strict=True)) if i != op.axis)
    )
    return None if same else Reject("gather-elements-partial", "gather_along_axis needs equal sizes on the other axes")


def _gather_nd(op: GatherND, target: Target) -> Reject | None:
    options = target.options
    old = isinstance(options, CoreMLOptions) and options.minimum_deployment_target == "iOS15"
    if op.batch_dims and old:
        return Reject("gather-nd-batch", "batch dimensions of gather_nd need iOS 16")
    return rank_reject([op.x, op.y], target, "gather-nd")


def _scatter(op: ScatterElements | ScatterND, target: Target) -> Reject | None:
    if op.x.dtype is not None and op.x.dtype.numpy().name == "bool":
        return Reject("scatter-bool", "MIL scatters numbers")
    return None


def _one_hot(op: OneHot, target: Target) -> Reject | None:
    if op.depth is None or constant(op.values) is None:
        return Reject("one-hot-computed", "the depth or the values are computed by the model")
    return static_reject([op.indices], "one-hot") or rank_reject([op.y], target, "one-hot")


FAMILIES = (
    Family(Gather, "Gather", _gather),
    Family(GatherElements, "GatherElements", _gather_elements),
    Family(GatherND, "GatherND", _gather_nd),
    Family(ScatterElements, "ScatterElements", _scatter),
    Family(ScatterND, "ScatterND", _scatter),
    Family(OneHot, "OneHot", _one_hot),
)
