"""Operators that move elements. bool is converted to float16 where MIL does not support it."""

from __future__ import annotations

import onnx_ir as ir

from edgec.backends.coreml.legality.common import rank_reject, static_reject
from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ops.shape import (
    Concat,
    ConstantOfShape,
    DepthToSpace,
    Expand,
    Pad,
    Reshape,
    SpaceToDepth,
    Split,
    Squeeze,
    Tile,
    Transpose,
    Trilu,
    Unsqueeze,
)
from edgec.rules.decompose.computed_pad import adds
from edgec.spec.target import Target


def _reshape(op: Reshape | Squeeze | Unsqueeze, target: Target) -> Reject | None:
    refused = rank_reject([op.x, op.y], target, "reshape")
    if refused is not None or static_reject([op.y], "reshape") is None:
        return refused
    if isinstance(op, Reshape):
        known = op.shape is None or (0 not in op.shape and op.shape.count(-1) <= 1)
        return None if known else Reject("reshape-copies-dynamic", "an open dimension is copied by a 0")
    return None if op.axes is not None else Reject("reshape-computed-axes", "the axes are computed by the model")


def _transpose(op: Transpose, target: Target) -> Reject | None:
    return rank_reject([op.x], target, "transpose")


def _concat(op: Concat, target: Target) -> Reject | None:
    return rank_reject([op.y], target, "concat")


def _split(op: Split, target: Target) -> Reject | None:
    return Reject("split-computed-sizes", "the sizes are computed by the model") if op.sizes is None else None


def _blocks(op: SpaceToDepth | DepthToSpace, target: Target) -> Reject | None:
    return rank_reject([op.y], target, op.node.op_type.lower())


def _expand(op: Expand, target: Target) -> Reject | None:
    return rank_reject([op.y], target, "expand")


def _tile(op: Tile, target: Target) -> Reject | None:
    return rank_reject([op.x], target, "tile")


PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
"""MIL's mode names; it has no `wrap`."""


def _pad(op: Pad, target: Target) -> Reject | None:
    if not is_native(op):
        return Reject("pad-computed", "the padding or the shape is computed by the model")
    return rank_reject([op.x], target, "pad")


def is_native(op: Pad) -> bool:
    """Whether MIL's `pad` is equivalent. PyTorch never reflects more elements than an open size has."""
    shape = op.x.shape
    if op.x.dtype is not None and not op.x.dtype.is_integer() and op.value is not None and adds(op):
        return True
    if op.begin is None or op.end is None or shape is None or min((*op.begin, *op.end), default=0) < 0:
        return False
    if op.x.dtype is None or op.x.dtype.is_integer():
        return False
    if op.mode == "constant":
        return op.value is not None
    pairs = list(zip(op.begin, op.end, shape, strict=True))
    beyond = op.mode == "reflect" and any(isinstance(size, int) and max(p, q) >= size for p, q, size in pairs)
    return op.mode in PAD_MODES and not any(p or q for p, q, _ in pairs[:-2]) and not beyond


def _fill(op: ConstantOfShape, target: Target) -> Reject | None:
    computed_bool = op.shape is None and op.dtype == ir.DataType.BOOL and bool(op.value)
    return Reject("constant-of-shape-bool", "a computed shape filled with true") if computed_bool else None


def _trilu(op: Trilu, target: Target) -> Reject | None:
    if op.k is None:
        return Reject("trilu-computed", "the diagonal is computed by the model")
    return static_reject([op.x], "trilu") or rank_reject([op.x], target, "trilu")


FAMILIES = (
    Family(Reshape, "Reshape", _reshape),
    Family(Squeeze, "Squeeze", _reshape),
    Family(Unsqueeze, "Unsqueeze", _reshape),
    Family(Transpose, "Transpose", _transpose),
    Family(Concat, "Concat", _concat),
    Family(Split, "Split", _split),
    Family(Expand, "Expand", _expand),
    Family(Tile, "Tile", _tile),
    Family(Pad, "Pad", _pad),
    Family(Trilu, "Trilu", _trilu),
    Family(ConstantOfShape, "ConstantOfShape", _fill),
    Family(DepthToSpace, "DepthToSpace", _blocks),
    Family(SpaceToDepth, "SpaceToDepth", _blocks),
)
