"""Operators that move elements. bool is converted to float16 where MIL does not support it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.coreml.legality.shape import PAD_MODES
from edgec.backends.coreml.lower.common import (
    MilBuilder,
    cast,
    moved_back,
    reshape,
    shape_of,
    static_dims,
    through_half,
    type_of,
)
from edgec.backends.coreml.lower.dynamic import broadcast_to, filled
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


def _like(x: Operand, out: TensorType) -> TensorType:
    return TensorType(x.type.dtype, out.shape)


def _reshape(op: Reshape | Squeeze | Unsqueeze, b: MilBuilder) -> Operand:
    x, out = through_half(b, b.operand(op.x)), type_of(op.y)
    if static_dims(out) is not None:
        return moved_back(b, reshape(b, x, shape_of(op.y)), out)
    if isinstance(op, Reshape):
        shape: Operand | tuple[int, ...] = (
            op.shape if op.shape is not None else cast(b, b.operand(op.shape_value), "int32")
        )
        return moved_back(b, b.emit("reshape", _like(x, out), x=x, shape=shape), out)
    opcode = "squeeze" if isinstance(op, Squeeze) else "expand_dims"
    return moved_back(b, b.emit(opcode, _like(x, out), x=x, axes=op.axes), out)


def _transpose(op: Transpose, b: MilBuilder) -> Operand:
    x, out = through_half(b, b.operand(op.x)), type_of(op.y)
    return moved_back(b, b.emit("transpose", _like(x, out), x=x, perm=op.perm), out)


def _concat(op: Concat, b: MilBuilder) -> Operand:
    parts, out = tuple(through_half(b, b.operand(x)) for x in op.xs), type_of(op.y)
    return moved_back(b, b.emit("concat", _like(parts[0], out), values=parts, axis=op.axis, interleave=False), out)


def _split(op: Split, b: MilBuilder) -> Sequence[Operand]:
    x = through_half(b, b.operand(op.x))
    outs = [type_of(v) for v in op.outputs]
    types = tuple(_like(x, out) for out in outs)
    parts = b.emit_many("split", types, x=x, split_sizes=op.sizes, axis=op.axis)
    return [moved_back(b, part, out) for part, out in zip(parts, outs, strict=True)]


def _expand(op: Expand, b: MilBuilder) -> Operand:
    if static_dims(type_of(op.y)) is None or static_dims(type_of(op.x)) is None:
        return broadcast_to(b, b.operand(op.x), b.operand(op.shape_value), type_of(op.y))
    x, out, shape = through_half(b, b.operand(op.x)), type_of(op.y), shape_of(op.y)
    own = (1,) * (len(shape) - len(x.type.shape)) + shape_of(op.x)
    wide = reshape(b, x, own)
    reps = tuple(s if o == 1 else 1 for o, s in zip(own, shape, strict=True))
    y = wide if all(r == 1 for r in reps) else b.emit("tile", _like(x, out), x=wide, reps=reps)
    return moved_back(b, y, out)


def _tile(op: Tile, b: MilBuilder) -> Operand:
    x, out = through_half(b, b.operand(op.x)), type_of(op.y)
    reps: Operand | tuple[int, ...] = (
        op.repeats if op.repeats is not None else cast(b, b.operand(op.repeats_value), "int32")
    )
    return moved_back(b, b.emit("tile", _like(x, out), x=x, reps=reps), out)


def _pad(op: Pad, b: MilBuilder) -> Operand:
    """Only the dimensions from the first padded one on are given; for reflection the last two."""
    x, out = through_half(b, b.operand(op.x)), type_of(op.y)
    fill = float(op.value or 0.0) if x.type.dtype.startswith("float") else int(op.value or 0)
    if op.begin is None:
        y = b.emit("pad", _like(x, out), x=x, pad=_pairs(b.operand(op.pads), b), mode="constant", constant_val=fill)
        return moved_back(b, y, out)
    pairs = list(zip(op.begin or (), op.end or (), strict=True))
    first = next((i for i, pair in enumerate(pairs) if any(pair)), None)
    if first is None:
        return b.operand(op.x)
    if op.mode != "constant":
        first = max(0, len(pairs) - 2)
    flat = tuple(p for pair in pairs[first:] for p in pair)
    return moved_back(b, b.emit("pad", _like(x, out), x=x, pad=flat, mode=PAD_MODES[op.mode], constant_val=fill), out)


def _pairs(pads: Operand, b: MilBuilder) -> Operand:
    """ONNX's amounts (all begins, then all ends) as MIL's pairs."""
    (count,) = pads.type.shape
    assert isinstance(count, int)
    sides = reshape(b, cast(b, pads, "int32"), (2, count // 2))
    turned = b.emit("transpose", TensorType("int32", (count // 2, 2)), x=sides, perm=(1, 0))
    return reshape(b, turned, (count,))


def _fill(op: ConstantOfShape, b: MilBuilder) -> Operand:
    out = type_of(op.y)
    if op.shape is not None:
        return b.const(np.full(op.shape, op.value, dtype=out.dtype), "fill")
    zeros = filled(b, b.operand(op.shape_value), out)
    return zeros if not op.value else b.emit("add", out, x=zeros, y=b.const(np.asarray(op.value, out.dtype), "value"))


def _trilu(op: Trilu, b: MilBuilder) -> Operand:
    """Replace the elements on the other side of the diagonal by zeros."""
    x, out, shape = b.operand(op.x), type_of(op.y), shape_of(op.x)
    kept = (np.triu if op.upper else np.tril)(np.ones(shape, dtype=bool), op.k or 0)
    zeros = b.const(np.zeros(shape, dtype=out.dtype), "zeros")
    return b.emit("select", out, cond=b.const(kept, "kept"), a=x, b=zeros)


def _depth_to_space(op: DepthToSpace, b: MilBuilder) -> Operand:
    """`depth_to_space` decomposes a channel as (block row, column, channel), `pixel_shuffle` with the channel first."""
    x, out = b.operand(op.x), type_of(op.y)
    if op.crd:
        return b.emit("pixel_shuffle", out, x=x, upscale_factor=op.block)
    return b.emit("depth_to_space", out, x=x, block_size=op.block)


def _space_to_depth(op: SpaceToDepth, b: MilBuilder) -> Operand:
    return b.emit("space_to_depth", type_of(op.y), x=b.operand(op.x), block_size=op.block)


LOWERINGS = (
    Lowering(Reshape, _reshape),
    Lowering(Squeeze, _reshape),
    Lowering(Unsqueeze, _reshape),
    Lowering(Transpose, _transpose),
    Lowering(Concat, _concat),
    Lowering(Split, _split),
    Lowering(Expand, _expand),
    Lowering(Tile, _tile),
    Lowering(Pad, _pad),
    Lowering(Trilu, _trilu),
    Lowering(ConstantOfShape, _fill),
    Lowering(DepthToSpace, _depth_to_space),
    Lowering(SpaceToDepth, _space_to_depth),
)
