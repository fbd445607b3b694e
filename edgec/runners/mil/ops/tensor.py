"""Operations that create or order tensors: fill, pad, sort, one-hot, cumulative sum, non-maximum suppression."""

from __future__ import annotations

from typing import Literal

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.arguments import axis_of, integer, integers
from edgec.runners.mil.ops.table import Table, computed, exact


def _fill(shape: Array, value: Array | float = 0.0) -> Array:
    return np.full(integers(shape), value)


def _fill_like(ref_tensor: Array, value: Array | float = 0.0) -> Array:
    return np.full(ref_tensor.shape, value)


def _tile(x: Array, reps: Array) -> Array:
    return np.tile(x, integers(reps))


_PAD_MODES: dict[str, Literal["constant", "reflect", "edge"]] = {
    "constant": "constant", "reflect": "reflect", "replicate": "edge",
}  # fmt: skip


def _pad(x: Array, pad: Array, mode: str = "constant", constant_val: Array | float = 0.0) -> Array:
    """`pad` has (before, after) of the last dimensions, outermost first."""
    if mode not in _PAD_MODES:
        raise ValueError(f"pad mode `{mode}`")
    pairs = np.asarray(pad).reshape(-1, 2)
    widths = [(0, 0)] * (x.ndim - len(pairs)) + [(int(before), int(after)) for before, after in pairs]
    if mode == "constant":
        return np.pad(x, widths, constant_values=np.asarray(constant_val).reshape(()))
    return np.pad(x, widths, _PAD_MODES[mode])


def _range_1d(start: Array, end: Array, step: Array) -> Array:
    return np.arange(start.item(), end.item(), step.item()).astype(start.dtype)


def _cumsum(x: Array, axis: Array | int = 0, exclusive: Array | bool = False, reverse: Array | bool = False) -> Array:
    at = axis_of(axis, x.ndim)
    data = np.flip(x, at) if reverse else x
    total = np.cumsum(data, at, dtype=x.dtype)
    if exclusive:
        total = np.concatenate([np.zeros_like(np.take(total, [0], at)), np.delete(total, -1, at)], at)
    return np.flip(total, at) if reverse else total


def _band_part(x: Array, lower: Array | int = -1, upper: Array | int = -1) -> Array:
    below, above = integer(lower), integer(upper)
    m, n = np.indices(x.shape[-2:])
    keep = ((below < 0) | (m - n <= below)) & ((above < 0) | (n - m <= above))
    return np.where(keep, x, np.zeros((), x.dtype))


def _one_hot(
    indices: Array, one_hot_vector_size: Array, axis: Array | int = -1, on_value: Array | int = 1,
    off_value: Array | int = 0,
) -> Array:  # fmt: skip
    """For an index outside [0, size), all elements are `off_value`."""
    hot = np.asarray(indices)[..., None] == np.arange(integer(one_hot_vector_size))
    return np.moveaxis(np.where(hot, on_value, off_value), -1, integer(axis))


def _order(x: Array, axis: int, ascending: bool) -> Array:
    """The indices of a stable sort."""
    if ascending:
        return np.argsort(x, axis, kind="stable")
    reversed_order = np.argsort(np.flip(x, axis), axis, kind="stable")
    result: Array = x.shape[axis] - 1 - np.flip(reversed_order, axis)
    return result


def _argsort(x: Array, axis: Array | int = -1, ascending: Array | bool = False) -> Array:
    return _order(x, axis_of(axis, x.ndim), bool(ascending))


def _topk(
    x: Array, k: Array | int = 1, axis: Array | int = -1, ascending: Array | bool = False,
    sort: Array | bool = True, return_indices: Array | bool = True, output_indices_dtype: str = "int32",
) -> tuple[Array, ...]:  # fmt: skip
    """Always sorted: with `sort=False`, the order is undefined in Core ML."""
    at = axis_of(axis, x.ndim)
    count = x.shape[at] if integer(k) == -1 else integer(k)
    order = np.take(_order(x, at, bool(ascending)), np.arange(count), at)
    values = np.take_along_axis(x, order, at)
    return (values, order.astype(output_indices_dtype)) if return_indices else (values,)


def _non_zero(x: Array) -> Array:
    return np.argwhere(x).astype(np.int32)


def _nms(
    boxes: Array, scores: Array, iou_threshold: Array, max_boxes: Array, score_threshold: Array | None = None,
    per_class_suppression: Array | bool = False,
) -> tuple[Array, ...]:  # fmt: skip
    """iOS 15 takes [n, B, 4], [n, B, K] and a score threshold, and also returns the counts; iOS 17 takes [n, 4, B] and
    [n, K, B]. A box's score and class are its best over the classes. Unused rows hold zeros and -1.
    """
    newer = score_threshold is None
    if newer:
        boxes, scores = boxes.swapaxes(1, 2), scores.swapaxes(1, 2)
    limit = integer(max_boxes)
    batch = boxes.shape[0]
    out_boxes = np.zeros((batch, limit, 4), np.float32)
    out_scores = np.zeros((batch, limit, scores.shape[2]), np.float32)
    indices = np.full((batch, limit), -1, np.int32)
    counts = np.zeros(batch, np.int32)
    floor = -np.inf if score_threshold is None else float(score_threshold)
    for i in range(batch):
        kept = _survivors(boxes[i], scores[i], float(iou_threshold), floor, bool(per_class_suppression), limit)
        counts[i] = len(kept)
        out_boxes[i, : len(kept)], out_scores[i, : len(kept)] = boxes[i][kept], scores[i][kept]
        indices[i, : len(kept)] = kept
    if newer:
        return out_boxes.swapaxes(1, 2), out_scores.swapaxes(1, 2), indices
    return out_boxes, out_scores, indices, counts


def _survivors(boxes: Array, scores: Array, threshold: float, floor: float, per_class: bool, limit: int) -> list[int]:
    """Up to `limit` boxes, best first; each selected one suppresses those that overlap it."""
    best, label = scores.max(axis=1), scores.argmax(axis=1)
    waiting = np.argsort(-best, kind="stable")
    waiting = waiting[~(best[waiting] < floor)]
    kept: list[int] = []
    while waiting.size and len(kept) < limit:
        chosen, waiting = waiting[0], waiting[1:]
        kept.append(int(chosen))
        apart = _overlaps(boxes[chosen], boxes[waiting]) <= threshold
        waiting = waiting[apart | (label[waiting] != label[chosen]) if per_class else apart]
    return kept


def _overlaps(a: Array, b: Array) -> Array:
    """Intersection over union of a box (centre x, centre y, width, height) with boxes (N, 4); 0 for an empty union."""
    low = np.maximum(a[:2] - a[2:] / 2, b[:, :2] - b[:, 2:] / 2)
    high = np.minimum(a[:2] + a[2:] / 2, b[:, :2] + b[:, 2:] / 2)
    inside = np.prod(np.maximum(high - low, 0), axis=1).astype(np.float64)
    union = (a[2] * a[3] + b[:, 2] * b[:, 3]).astype(np.float64) - inside
    found: Array = np.divide(inside, union, out=np.zeros_like(inside), where=union > 0)
    return found


OPS: Table = {
    **computed(cumsum=_cumsum, range_1d=_range_1d),
    **exact(
        fill=_fill, fill_like=_fill_like, tile=_tile, pad=_pad, band_part=_band_part, one_hot=_one_hot,
        argsort=_argsort, topk=_topk, non_zero=_non_zero, non_maximum_suppression=_nms,
        shape=lambda x: np.array(x.shape, np.int32),
    ),
}  # fmt: skip
