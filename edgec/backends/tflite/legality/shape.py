"""Operators that move elements."""

from __future__ import annotations

from edgec.backends.legality import Family
from edgec.backends.tflite.legality.common import takes, type_reject
from edgec.dialect.reject import Reject
from edgec.ops.shape import (
    Concat,
    ConstantOfShape,
    Expand,
    Pad,
    Range,
    Reshape,
    ReverseSequence,
    Shape,
    Split,
    Squeeze,
    Tile,
    Transpose,
    Unsqueeze,
)
from edgec.rules.decompose.computed_pad import adds
from edgec.spec.target import Target


def _reshape(op: Reshape | Squeeze | Unsqueeze, target: Target) -> Reject | None:
    kind = op.node.op_type.lower()
    if op.y.shape is None:
        return Reject(f"{kind}-dynamic", "the rank of the result is unknown")
    if [isinstance(d, int) for d in op.y.shape].count(False) <= 1:
        return None
    if isinstance(op, Reshape):
        return Reject("reshape-copies-dynamic", "an open dimension is copied by a 0") if op.shape is not None else None
    return Reject(f"{kind}-computed-axes", "the axes are computed by the model") if op.axes is None else None


def _split(op: Split, target: Target) -> Reject | None:
    if op.sizes is None:
        return Reject("split-computed-sizes", "the sizes are computed by the model")
    return type_reject(op, [op.x])


def _expand(op: Expand, target: Target) -> Reject | None:
    if op.shape is None and op.y.shape is None:
        return Reject("expand-dynamic", "the rank of the result is unknown")
    return type_reject(op, [op.x])


def _pad(op: Pad, target: Target) -> Reject | None:
    if (op.begin is None or op.end is None) and not adds(op):
        return Reject("pad-computed", "the padding is computed by the model, and may crop or reflect")
    if op.mode != "constant" and not is_mirror(op):
        return Reject(f"pad-{op.mode}", f"there is no kernel for mode {op.mode}")
    return type_reject(op, [op.x])


def is_mirror(op: Pad) -> bool:
    """Whether MIRROR_PAD supports it: each side is shorter than its axis, which PyTorch guarantees for an open axis."""
    shape = op.x.shape
    if op.mode != "reflect" or shape is None or op.begin is None or op.end is None:
        return False
    return all(
        p >= 0 and q >= 0 and (not isinstance(size, int) or max(p, q) < size)
        for size, p, q in zip(shape, op.begin, op.end, strict=True)
    )


FAMILIES = (
    Family(Reshape, "Reshape", _reshape),
    Family(Squeeze, "Squeeze", _reshape),
    Family(Unsqueeze, "Unsqueeze", _reshape),
    Family(Transpose, "Transpose", takes(lambda op: [op.x])),
    Family(Concat, "Concat", takes(lambda op: op.xs)),
    Family(Split, "Split", _split),
    Family(Expand, "Expand", _expand),
    Family(Tile, "Tile", takes(lambda op: [op.x])),
    Family(Pad, "Pad", _pad),
    Family(ConstantOfShape, "ConstantOfShape", takes(lambda op: [op.y])),
    Family(Range, "Range", takes(lambda op: [op.y])),
    Family(ReverseSequence, "ReverseSequence", takes(lambda op: [op.x])),
    Family(Shape, "Shape"),
)
