"""COCO's average precision of detected boxes (cocodataset.org/#detection-eval)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgec.diag import error

Floats = NDArray[np.float64]

_THRESHOLDS = np.arange(0.5, 1.0, 0.05)
_RECALLS = np.linspace(0.0, 1.0, 101)
_DETECTIONS = 100
"""The number of boxes of one class in one image that count, best first."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes of one image: corners (n, 4), classes (n,), and scores (n,) for detected ones."""

    corners: Floats
    classes: NDArray[np.int64]
    scores: Floats


def found_boxes(outputs: Mapping[str, NDArray[Any]]) -> Boxes:
    """The boxes of outputs `boxes`, `scores` and `labels` or `classes`, without those with a score of 0 or less.

    Raises `EdgecError` E0107 for other names or sizes.
    """
    named = _named(outputs, ("boxes", "scores"), f"the outputs are {', '.join(outputs)}")
    corners, scores = named["boxes"].reshape(-1, 4), np.asarray(named["scores"], np.float64).reshape(-1)
    classes = np.asarray(named["labels"]).reshape(-1)
    if not len(corners) == len(scores) == len(classes):
        sizes = f"{len(corners)} boxes, {len(scores)} scores and {len(classes)} classes"
        raise error("E0107", f"`map` takes one score and class a box, and there are {sizes}")
    real = scores > 0
    return Boxes(np.asarray(corners, np.float64)[real], classes[real].astype(np.int64), scores[real])


def true_boxes(target: Any) -> Boxes:
    """The boxes of a target, a mapping of `boxes` and `labels` or `classes`. Raises `EdgecError` E0107 otherwise."""
    if not isinstance(target, Mapping):
        raise error("E0107", f"a target of `map` is a mapping of boxes and labels, not a {type(target).__name__}")
    named = _named(target, ("boxes",), f"the target holds {', '.join(map(str, target))}")
    corners = np.asarray(named["boxes"], np.float64).reshape(-1, 4)
    classes = np.asarray(named["labels"]).reshape(-1).astype(np.int64)
    if len(corners) != len(classes):
        raise error("E0107", f"a target of `map` has {len(corners)} boxes and {len(classes)} labels")
    return Boxes(corners, classes, np.ones(len(classes)))


def _named(values: Mapping[str, Any], names: Sequence[str], note: str) -> dict[str, Any]:
    """The values with these names, and the classes. Raises `EdgecError` E0107 if one is missing."""
    classes = next((name for name in ("labels", "classes") if name in values), "")
    missing = [name for name in names if name not in values] + ([] if classes else ["labels"])
    if missing:
        raise error("E0107", f"`map` finds no {' and no '.join(missing)}", notes=[note], help=[_NAMES])
    return {**{name: np.asarray(values[name]) for name in names}, "labels": np.asarray(values[classes])}


_NAMES = "name the outputs `boxes`, `scores` and `labels`, or give a function: `--metric file.py:fn`"


def average_precision(images: Sequence[tuple[Boxes, Boxes]]) -> float:
    """Average precision, from 0 to 1, of detected against true boxes; nan if no image has a box."""
    classes = sorted({int(c) for _, truth in images for c in truth.classes})
    found = [_of_class([(_only(f, c), _only(t, c)) for f, t in images]) for c in classes]
    return float(np.mean(found)) if found else float("nan")


def _only(boxes: Boxes, number: int) -> Boxes:
    chosen = np.flatnonzero(boxes.classes == number)
    best = chosen[np.argsort(-boxes.scores[chosen], kind="stable")][:_DETECTIONS]
    return Boxes(boxes.corners[best], boxes.classes[best], boxes.scores[best])


def _of_class(images: Sequence[tuple[Boxes, Boxes]]) -> float:
    """The mean over IoU thresholds for one class, with detections ordered by score."""
    scores = np.concatenate([found.scores for found, _ in images])
    matched = np.concatenate([_matched(found, truth) for found, truth in images], axis=1)
    order = np.argsort(-scores, kind="stable")
    return float(np.mean([_precision(row[order], sum(len(t.classes) for _, t in images)) for row in matched]))


def _matched(found: Boxes, truth: Boxes) -> NDArray[np.bool_]:
    """(thresholds, found): whether each box matches a true one; best first, each with its largest overlap."""
    overlap = _overlap(found.corners, truth.corners)
    taken = np.zeros((len(_THRESHOLDS), len(truth.classes)), bool)
    matched = np.zeros((len(_THRESHOLDS), len(found.classes)), bool)
    for t, threshold in enumerate(_THRESHOLDS):
        for i in range(len(found.classes)):
            free = np.where(taken[t], -1.0, overlap[i])
            if len(free) and free.max() >= threshold - 1e-10:
                taken[t, free.argmax()] = matched[t, i] = True
    return matched


def _overlap(a: Floats, b: Floats) -> Floats:
    """Intersection over union, (len(a), len(b))."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = [np.prod(x[:, 2:] - x[:, :2], axis=-1) for x in (a, b)]
    union: Floats = areas[0][:, None] + areas[1][None] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(union), where=union > 0))


def _precision(hits: NDArray[np.bool_], positives: int) -> float:
    """The mean over 101 recall levels of the best precision at that recall or higher."""
    right = np.cumsum(hits)
    recall, precision = right / positives, right / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.where(at < len(envelope), np.append(envelope, 0.0)[np.minimum(at, len(envelope))], 0.0).mean())
