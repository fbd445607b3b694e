"""Checks that all families share: ranks, static shapes, operations on floats only."""

from __future__ import annotations

from collections.abc import Sequence

from edgec.dialect.reject import Reject
from edgec.ops.base import Value
from edgec.spec.target import Target


def static_reject(values: Sequence[Value], label: str) -> Reject | None:
    """Reject shapes that are not static."""
    for value in values:
        if value.shape is None or any(not isinstance(d, int) for d in value.shape):
            return Reject(f"{label}-dynamic", f"the shape of `{value.name}` is not static")
    return None


def rank_reject(values: Sequence[Value], target: Target, label: str) -> Reject | None:
    """Reject ranks above the target's limit."""
    for value in values:
        rank = len(value.shape or ())
        if rank > target.limits.max_rank:
            return Reject(f"{label}-rank-{rank}", f"Core ML supports at most rank {target.limits.max_rank}")
    return None


def float_reject(values: Sequence[Value], label: str) -> Reject | None:
    """Reject integers for MIL operations on floats only."""
    for value in values:
        name = value.dtype.numpy().name if value.dtype is not None else "?"
        if not name.startswith("float"):
            return Reject(f"{label}-{name}", f"the operation does not support {name}")
    return None
