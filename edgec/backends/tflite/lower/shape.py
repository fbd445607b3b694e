"""Operators that move elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import (
    binary,
    broadcast,
    cast,
    ints,
    out_type,
    reshape,
    scalar,
    shape_of,
    transpose,
)
from edgec.ir.model import static_shape
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


def _reshape(op: Reshape | Squeeze | Unsqueeze, b: Builder) -> Operand:
    """RESHAPE, which infers one open dimension; for several, the shape is computed, or SQUEEZE or EXPAND_DIMS used."""
    x = b.operand(op.x)
    if shape_of(op.y).count(-1) <= 1:
        return reshape(b, x, shape_of(op.y))
    if isinstance(op, Reshape):
        inputs = {"input": x, "shape": cast(b, b.operand(op.shape_value), "int32")}
        return b.op("RESHAPE", inputs, out_type(op.y), newShape=())
    assert op.axes is not None
    if isinstance(op, Squeeze):
        return b.op("SQUEEZE", {"input": x}, out_type(op.y), squeezeDims=op.axes)
    dims = list(x.type.shape)
    for axis in op.axes:
        dims.insert(axis, 1)
        inputs = {"input": x, "axis": scalar(b, axis, "int32", "axis")}
        x = b.op("EXPAND_DIMS", inputs, TensorType(x.type.dtype, tuple(dims)))
    return x


def _transpose(op: Transpose, b: Builder) -> Operand:
    return transpose(b, b.operand(op.x), op.perm)


def _concat(op: Concat, b: Builder) -> Operand:
    parts = tuple(b.operand(x) for x in op.xs)
    return b.op("CONCATENATION", {"values": parts}, axis=op.axis, fusedActivationFunction=0)


def _split(op: Split, b: Builder) -> Sequence[Operand]:
    """For floats, as delegates support it: SPLIT into up to four equal parts, or SLICEs; SPLIT_V for other types."""
    assert op.sizes is not None
    x, types = b.operand(op.x), tuple(out_type(v) for v in op.outputs)
    axis = scalar(b, op.axis, "int32", "axis")
    if x.type.dtype != "float32":
        inputs = {"input": x, "sizes": ints(b, op.sizes, "sizes"), "axis": axis}
        return b.multi("SPLIT_V", inputs, types, numSplits=len(op.sizes))
    if len(set(op.sizes)) == 1 and len(op.sizes) <= _MOST_PARTS:
        return b.multi("SPLIT", {"axis": axis, "input": x}, types, numSplits=len(op.sizes))
    parts, start = [], 0
    for size, kind in zip(op.sizes, types, strict=True):
        begin = [start if i == op.axis else 0 for i in range(len(x.type.shape))]
        extent = [size if i == op.axis else d for i, d in enumerate(shape_of(op.x))]
        bounds = {"begin": ints(b, begin, "begin"), "size": ints(b, extent, "size")}
        parts.append(b.op("SLICE", {"input": x, **bounds}, kind))
        start += size
    return parts


_MOST_PARTS = 4
"""XNNPACK's delegate supports two, three or four parts."""


def _expand(op: Expand, b: Builder) -> Operand:
    if -1 not in shape_of(op.y):
        return broadcast(b, b.operand(op.x), shape_of(op.y))
    x, shape = b.operand(op.x), cast(b, b.operand(op.shape_value), "int32")
    return b.op("BROADCAST_TO", {"input": x, "shape": _broadcast_shape(x, shape, b)}, out_type(op.y))


def _broadcast_shape(x: Operand, shape: Operand, b: Builder) -> Operand:
    """The shape of x broadcast with `shape`, which may have sizes of 1 or fewer dimensions."""
    own, (wanted,) = len(x.type.shape), shape.type.shape
    if not own:
        return shape
    rank = max(own, wanted) if isinstance(wanted, int) else own
    sizes: Operand = b.op("SHAPE", {"input": x}, TensorType("int32", (own,)), outType=2)
    sizes, shape = (_with_leading_ones(v, rank, b) for v in (sizes, shape))
    return binary(b, "MAXIMUM", sizes, shape, TensorType("int32", (rank,)))


def _with_leading_ones(sizes: Operand, rank: int, b: Builder) -> Operand:
    """The sizes with leading ones up to `rank`."""
    (own,) = sizes.type.shape
    if own == rank or not isinstance(own, int):
        return sizes
    parts = (ints(b, (1,) * (rank - own), "ones"), sizes)
    return b.op("CONCATENATION", {"values": parts}, TensorType("int32", (rank,)), axis=0, fusedActivationFunction=0)


def _tile(op: Tile, b: Builder) -> Operand:
    times = cast(b, b.operand(op.repeats_value), "int32")
    return b.op("TILE", {"input": b.operand(op.x), "multiples": times}, out_type(op.y))


def _pad(op: Pad, b: Builder) -> Operand:
    kind = out_type(op.y)
    pads: Operand
    if op.begin is None or op.end is None:
        x, pads = b.operand(op.x), transpose(b, reshape(b, cast(b, b.operand(op.pads), "int32"), (2, -1)), (1, 0))
    else:
        x, amounts = _crop(op, b), np.maximum(np.stack([op.begin, op.end], axis=1), 0)
        if not amounts.any():
            return x
        pads = b.const(amounts.astype(np.int32), "paddings")
    inputs: dict[str, Operand] = {"input": x, "paddings": pads}
    if op.mode == "reflect":
        return b.op("MIRROR_PAD", inputs, mode=0)
    if op.value is None and op.fill_value is not None:
        inputs["value"] = reshape(b, b.operand(op.fill_value), ())
    elif op.value:
        inputs["value"] = scalar(b, op.value, x.type.dtype, "fill")
    if "value" in inputs:
        return b.op("PADV2", inputs, kind)
    return b.op("PAD", inputs, kind)


def _crop(op: Pad, b: Builder) -> Operand:
    """Negative padding, as a slice before the rest."""
    x, shape = b.operand(op.x), static_shape(op.x)
    if min((*(op.begin or ()), *(op.end or ())), default=0) >= 0:
        return x
    if shape is None:
        return _open_crop(op, x, b)
    begin = [max(0, -p) for p in op.begin or ()]
    size = [d - s - max(0, -q) for d, s, q in zip(shape, begin, op.end or (), strict=True)]
    if tuple(size) == shape:
        return x
    inputs = {"input": x, "begin": ints(b, begin, "begin"), "size": ints(b, size, "size")}
    return b.op("SLICE", inputs, TensorType(x.type.dtype, tuple(size)))


def _open_crop(op: Pad, x: Operand, b: Builder) -> Operand:
    """For an open size, the crop at the end is given by a negative bound."""
    before, behind = ([max(0, -p) for p in side or ()] for side in (op.begin, op.end))
    kept = [d - p - q if isinstance(d, int) else "?" for d, p, q in zip(x.type.shape, before, behind, strict=True)]
    inputs = {
        "input": x,
        "begin": ints(b, before, "begin"),
        "end": ints(b, [-q for q in behind], "end"),
        "strides": ints(b, [1] * len(before), "strides"),
    }
    whole = sum(1 << i for i, q in enumerate(behind) if not q)
    masks = {"beginMask": 0, "endMask": whole, "ellipsisMask": 0, "newAxisMask": 0, "shrinkAxisMask": 0}
    return b.op("STRIDED_SLICE", inputs, TensorType(x.type.dtype, tuple(kept)), **masks, offset=False)


def _fill(op: ConstantOfShape, b: Builder) -> Operand:
    value = scalar(b, op.value, op.dtype.numpy().name, "fill")
    dims = ints(b, op.shape, "dims") if op.shape is not None else cast(b, b.operand(op.shape_value), "int32")
    return b.op("FILL", {"dims": dims, "value": value}, out_type(op.y))


def _range(op: Range, b: Builder) -> Operand:
    parts = (b.operand(v) for v in (op.start_value, op.limit_value, op.delta_value))
    scalars = (reshape(b, p, ()) if p.type.shape else p for p in parts)
    start, limit, delta = (cast(b, p, out_type(op.y).dtype) for p in scalars)
    return b.op("RANGE", {"start": start, "limit": limit, "delta": delta})


def _reverse(op: ReverseSequence, b: Builder) -> Operand:
    inputs = {"input": b.operand(op.x), "lengths": b.operand(op.lengths)}
    return b.op("REVERSE_SEQUENCE", inputs, seqDim=op.time_axis, batchDim=op.batch_axis)


def _shape(op: Shape, b: Builder) -> Operand:
    """SHAPE returns all dimensions; ONNX may select some of them."""
    rank = len(op.x.shape or ())
    whole = b.op("SHAPE", {"input": b.operand(op.x)}, TensorType("int64", (rank,)), outType=4)
    if (op.start, op.end) == (0, rank):
        return whole
    count = max(0, op.end - op.start)
    bounds: dict[str, Operand] = {"begin": ints(b, (op.start,), "begin"), "size": ints(b, (count,), "size")}
    return b.op("SLICE", {"input": whole, **bounds}, TensorType("int64", (count,)))


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
    Lowering(ConstantOfShape, _fill),
    Lowering(Range, _range),
    Lowering(ReverseSequence, _reverse),
    Lowering(Shape, _shape),
)
