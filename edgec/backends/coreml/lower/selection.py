"""Operators whose results have a data-dependent number of rows."""

from __future__ import annotations

import numpy as np

from edgec.backends.base import Dim, Lowering, Operand, TensorType
from edgec.backends.coreml.lower.common import MilBuilder, cast
from edgec.backends.coreml.lower.reduce import sorted_whole
from edgec.backends.coreml.options import CoreMLOptions
from edgec.ops.gather import NonMaxSuppression, NonZero
from edgec.rules.decompose.detection import box_count

_FLAG, _INDEX = "bool", "int32"


def _non_zero(op: NonZero, b: MilBuilder) -> Operand:
    """`non_zero` returns a row of coordinates for each element, ONNX a column."""
    rank = len(op.x.shape or ())
    rows = b.emit("non_zero", TensorType(_INDEX, ("?", rank)), x=b.operand(op.x))
    return b.emit("transpose", TensorType(_INDEX, (rank, "?")), x=rows, perm=(1, 0))


def _suppression(op: NonMaxSuppression, b: MilBuilder) -> Operand:
    """`non_maximum_suppression` on sorted boxes, with their position from the end as score, all in float32.

    From iOS 17 on it has no score threshold and does not return how many boxes it kept: boxes that do not exceed the
    threshold get score 0, like unused rows.
    """
    count: Dim = box_count(op) or "?"
    row = TensorType("float32", (1, count))
    scores = b.emit("reshape", row, x=cast(b, b.operand(op.scores), "float32"), shape=(1, -1))
    best, order = sorted_whole(b, scores, 1, ascending=False)
    order = b.emit("reshape", TensorType(_INDEX, (count,)), x=order, shape=(-1,))
    boxes = cast(b, b.operand(op.boxes), "float32")
    boxes = b.emit("gather", TensorType("float32", (1, count, 4)), x=boxes, indices=order, axis=1)
    kept, places = _kept(op, _centered(boxes, b), _positions(op, best, count, b), b)
    chosen = _valid(kept, places, b)
    found = b.emit("gather", TensorType(_INDEX, ("?",)), x=order, indices=chosen, axis=0)
    column = b.emit("reshape", TensorType(_INDEX, ("?", 1)), x=found, shape=(-1, 1))
    last = b.const(np.asarray([[0, 0, 1]], dtype=np.int32), "last")
    return b.emit("mul", TensorType(_INDEX, ("?", 3)), x=column, y=last)


def _positions(op: NonMaxSuppression, best: Operand, count: Dim, b: MilBuilder) -> Operand:
    """(1, N): N, N - 1, … 1 along the sorted scores, and 0 for those that do not exceed the threshold."""
    if isinstance(count, int):
        places: Operand = b.const(np.arange(count, 0, -1, dtype=np.float32)[None], "places")
    else:  # the number of boxes from each one to the end
        ones = b.emit("fill_like", best.type, ref_tensor=best, value=1.0)
        places = b.emit("cumsum", best.type, x=ones, axis=1, exclusive=False, reverse=True)
    assert op.score_threshold is not None
    if op.score_threshold == float("-inf"):
        return places
    above = b.emit("greater", TensorType(_FLAG, best.type.shape), x=best, y=op.score_threshold)
    return b.emit("mul", best.type, x=places, y=cast(b, above, "float32"))


def _centered(boxes: Operand, b: MilBuilder) -> Operand:
    """(1, N, 4) of two opposite corners (y, x, y, x) as centre x, centre y, width, height."""
    count = boxes.type.shape[1]
    half = TensorType("float32", (1, count, 2))
    ends = (True, False, False)
    one = b.emit("slice_by_index", half, x=boxes, begin=(0, 0, 0), end=(0, 0, 2), begin_mask=ends, end_mask=_ROWS)
    other = b.emit("slice_by_index", half, x=boxes, begin=(0, 0, 2), end=(0, 0, 4), begin_mask=ends, end_mask=_ROWS)
    middle = b.emit("mul", half, x=b.emit("add", half, x=one, y=other), y=0.5)
    extent = b.emit("abs", half, x=b.emit("sub", half, x=other, y=one))
    swapped = [b.emit("reverse", half, x=v, axes=(2,)) for v in (middle, extent)]
    return b.emit("concat", boxes.type, values=tuple(swapped), axis=2, interleave=False)


_ROWS = (True, True, False)


def _kept(op: NonMaxSuppression, boxes: Operand, places: Operand, b: MilBuilder) -> tuple[Operand, Operand]:
    """The indices of the sorted boxes that are kept, and their scores, both (M), padded."""
    count = box_count(op)
    most = max(op.max_output or 0, 0)
    most = most if count is None else min(most, count)
    arguments = {"iou_threshold": float(op.iou_threshold or 0.0), "max_boxes": most, "per_class_suppression": False}
    options = b.target.options
    assert isinstance(options, CoreMLOptions)
    size = boxes.type.shape[1]
    if options.is_before("iOS17"):
        scores = b.emit("reshape", TensorType("float32", (1, size, 1)), x=places, shape=(1, -1, 1))
        shapes: tuple[tuple[Dim, ...], ...] = ((1, most, 4), (1, most, 1), (1, most), (1,))
        arguments["score_threshold"] = 0.0
    else:
        boxes = b.emit("transpose", TensorType("float32", (1, 4, size)), x=boxes, perm=(0, 2, 1))
        scores = b.emit("reshape", TensorType("float32", (1, 1, size)), x=places, shape=(1, 1, -1))
        shapes = ((1, 4, most), (1, 1, most), (1, most))
    kinds = tuple(TensorType(_INDEX if len(s) < 3 else "float32", s) for s in shapes)
    results = b.emit_many("non_maximum_suppression", kinds, boxes=boxes, scores=scores, **arguments)
    indices = b.emit("reshape", TensorType(_INDEX, (most,)), x=results[2], shape=(most,))
    return indices, b.emit("reshape", TensorType("float32", (most,)), x=results[1], shape=(most,))


def _valid(indices: Operand, scores: Operand, b: MilBuilder) -> Operand:
    """The indices (K) of the rows that are boxes above the threshold."""
    flags = TensorType(_FLAG, indices.type.shape)
    there = b.emit("greater_equal", flags, x=indices, y=b.const(np.asarray(0, np.int32), "zero"))
    above = b.emit("greater", flags, x=scores, y=0.0)
    valid = b.emit("logical_and", flags, x=there, y=above)
    rows = b.emit("non_zero", TensorType(_INDEX, ("?", 1)), x=valid)
    places = b.emit("reshape", TensorType(_INDEX, ("?",)), x=rows, shape=(-1,))
    return b.emit("gather", TensorType(_INDEX, ("?",)), x=indices, indices=places, axis=0)


LOWERINGS = (
    Lowering(NonZero, _non_zero),
    Lowering(NonMaxSuppression, _suppression),
)
