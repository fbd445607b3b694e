"""Operators whose results have a data-dependent number of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import binary, cast, ints, reshape, scalar, transpose
from edgec.ops.gather import NonMaxSuppression, NonZero
from edgec.rules.decompose.detection import box_count

_INT32 = 2
"""`TensorType.INT32` of the TFLite schema."""


def _non_zero(op: NonZero, b: Builder) -> Operand:
    """WHERE returns a row of coordinates for each element, ONNX a column."""
    rank = len(op.x.shape or ())
    rows = b.op("WHERE", {"condition": b.operand(op.x)}, TensorType("int64", ("?", rank)))
    return reshape(b, rows, (1, -1)) if rank == 1 else transpose(b, rows, (1, 0))


@dataclass(frozen=True)
class _Count:
    """The number of boxes: as a constant if it is known, and as a scalar operand."""

    known: int | None
    value: Operand

    @property
    def dim(self) -> int | str:
        """As a dimension."""
        return "?" if self.known is None else self.known


def _suppression(op: NonMaxSuppression, b: Builder) -> Operand:
    """NON_MAX_SUPPRESSION_V4 on boxes sorted by score, each with its position from the end as score.

    Among equal scores the kernel takes any first, ONNX the one with the lower index. An overlap equal to the threshold
    is suppressed by the kernel and kept by ONNX. A box without area is kept by ONNX and suppresses none; the kernel
    returns it for all that follow.
    """
    boxes, scores, count = _ordered_inputs(op, b)
    overlap = np.nextafter(np.float32(op.iou_threshold or 0.0), np.float32(np.inf))
    kinds = (TensorType("float32", (count.dim,)), TensorType("int32", (count.dim,)))
    sorted_scores, order = b.multi("TOPK_V2", {"input": scores, "k": count.value}, kinds)
    inputs: dict[str, Operand] = {
        "boxes": _without_degenerate(
            b.op("GATHER", {"input": boxes, "indices": order}, boxes.type, axis=0, batchDims=0), count, b
        ),
        "scores": _positions(op, sorted_scores, count, b),
        "limit": _limit(op, count, b),
        "iou": scalar(b, float(overlap), "float32", "iou"),
        "floor": scalar(b, 0.0, "float32", "floor"),
    }
    kept, number = b.multi(
        "NON_MAX_SUPPRESSION_V4", inputs, (TensorType("int32", ("?",)), TensorType("int32", ())),
    )  # fmt: skip
    bounds: dict[str, Operand] = {"begin": ints(b, (0,), "begin"), "size": reshape(b, number, (1,))}
    places = b.op("SLICE", {"input": kept, **bounds}, TensorType("int32", ("?",)))
    chosen = b.op("GATHER", {"input": order, "indices": places}, TensorType("int32", ("?",)), axis=0, batchDims=0)
    column = cast(b, reshape(b, chosen, (-1, 1)), "int64")
    padding = b.const(np.asarray([[0, 0], [2, 0]], dtype=np.int32), "paddings")
    return b.op("PAD", {"input": column, "paddings": padding}, TensorType("int64", ("?", 3)))


def _ordered_inputs(op: NonMaxSuppression, b: Builder) -> tuple[Operand, Operand, _Count]:
    """Boxes (N, 4), scores (N), N."""
    known = box_count(op)
    size = -1 if known is None else known
    boxes, scores = reshape(b, b.operand(op.boxes), (size, 4)), reshape(b, b.operand(op.scores), (size,))
    if known is not None:
        return boxes, scores, _Count(known, scalar(b, known, "int32", "count"))
    shape = b.op("SHAPE", {"input": scores}, TensorType("int32", (1,)), outType=_INT32)
    return boxes, scores, _Count(None, reshape(b, shape, ()))


def _positions(op: NonMaxSuppression, scores: Operand, count: _Count, b: Builder) -> Operand:
    """N, N - 1, … 1 along the sorted scores, and 0 for those that do not exceed the threshold."""
    places = _from_the_end(count, b)
    assert op.score_threshold is not None
    if op.score_threshold == float("-inf"):
        return places
    flags = TensorType("bool", scores.type.shape)
    above = binary(b, "GREATER", scores, scalar(b, op.score_threshold, "float32", "threshold"), flags)
    return b.op("SELECT_V2", {"c": above, "a": places, "b": scalar(b, 0.0, "float32", "zero")}, scores.type)


def _from_the_end(count: _Count, b: Builder) -> Operand:
    """The vector N, N - 1, … 1."""
    if count.known is not None:
        return b.const(np.arange(count.known, 0, -1, dtype=np.float32), "places")
    bounds = {"start": cast(b, count.value, "float32"), "limit": scalar(b, 0.0, "float32", "end")}
    step = scalar(b, -1.0, "float32", "step")
    return b.op("RANGE", {**bounds, "delta": step}, TensorType("float32", (count.dim,)))


_FAR = 1e9
"""A region without boxes, to which those without area are moved, each to a distinct position."""


def _without_degenerate(boxes: Operand, count: _Count, b: Builder) -> Operand:
    """The boxes (N, 4), with those without area moved to where they overlap with none."""
    column, flags = TensorType("float32", (count.dim, 1)), TensorType("bool", (count.dim, 1))
    ends = [
        b.op("SLICE", {"input": boxes, "begin": ints(b, (0, i), "begin"), "size": ints(b, (-1, 1), "size")}, column)
        for i in range(4)
    ]
    high, wide = (binary(b, "EQUAL", ends[i], ends[i + 2], flags) for i in (0, 1))
    empty = binary(b, "LOGICAL_OR", high, wide, flags)
    place = reshape(b, _from_the_end(count, b), (-1, 1))
    corner = b.const(np.asarray([[0.0, 0.0, 0.5, 0.5]], np.float32), "corner")
    own = binary(b, "ADD", place, corner, boxes.type)
    far = binary(b, "MUL", own, scalar(b, _FAR, "float32", "far"), boxes.type)
    return b.op("SELECT_V2", {"c": empty, "a": far, "b": boxes}, boxes.type)


def _limit(op: NonMaxSuppression, count: _Count, b: Builder) -> Operand:
    """The most boxes to keep; the kernel always writes as many indices."""
    most = min(max(op.max_output or 0, 0), np.iinfo(np.int32).max)
    if count.known is not None:
        return scalar(b, min(most, count.known), "int32", "limit")
    return binary(b, "MINIMUM", count.value, scalar(b, most, "int32", "most"), TensorType("int32", ()))


LOWERINGS = (
    Lowering(NonZero, _non_zero),
    Lowering(NonMaxSuppression, _suppression),
)
