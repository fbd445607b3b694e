"""Evaluates all subjects, artifacts and their source, in one pass over labelled data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgec.diag import error
from edgec.evaluation.dataset import Dataset, Example
from edgec.evaluation.metrics import Metric
from edgec.evaluation.statistics import Difference, Interval
from edgec.frontend.samples.files import Pixels, fitted
from edgec.measure.inspection import Feature

Array = NDArray[np.generic]
Images = Callable[[Pixels, Feature], Array]
"""Converts an image to the source's input."""


@dataclass
class Subject:
    """A subject of the evaluation: its name, and its outputs for inputs in the source's form."""

    name: str
    run: Callable[[dict[str, Array]], Mapping[str, Array]]
    records: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Evaluation:
    """The metric of one subject with its 95 % interval, and its difference from the baseline on the same samples.

    `drop`: by how much the subject is worse than the baseline; None for the baseline itself or without one.
    """

    name: str
    metric: Interval
    drop: Difference | None = None


def evaluate(
    subjects: Sequence[Subject], features: Sequence[Feature], data: Dataset, images: Images, metric: Metric
) -> list[Evaluation]:
    """Run every subject on every example; the first subject is the baseline for the others.

    Raises `EdgecError` E0107 for examples that do not fit the inputs, or if there are none.
    """
    for example in data:
        inputs = arranged(example, features, images)
        for subject in subjects:
            subject.records.append(metric.record(subject.run(inputs), example.target))
    if not data.count:
        raise error("E0107", "the data hold no example")
    found = [_records(subject.records) for subject in subjects]
    sign = -1 if metric.higher_is_better else 1
    return [
        Evaluation(
            subject.name, metric.interval(records), _signed(metric.difference(found[0], records), sign) if i else None
        )
        for i, (subject, records) in enumerate(zip(subjects, found, strict=True))
    ]


def _records(rows: list[Any]) -> Any:
    """Numeric records as a table, others as objects."""
    if isinstance(rows[0], list):
        return np.asarray(rows, np.float64)
    found = np.empty(len(rows), object)
    found[:] = [None] * len(rows)
    for i, row in enumerate(rows):
        found[i] = row
    return found


def _signed(d: Difference, sign: int) -> Difference:
    """A difference as a drop, for metrics where higher is better."""
    low, high = sorted((sign * d.low, sign * d.high))
    return Difference(sign * d.value + 0.0, low + 0.0, high + 0.0, d.p_value)


def arranged(example: Example, features: Sequence[Feature], images: Images) -> dict[str, Array]:
    """The example's inputs in the source's shapes and types; a missing batch dimension is added to a row of arrays.

    Raises `EdgecError` E0107 for names, shapes and values that do not fit.
    """
    given = dict(example.inputs)
    if "" in given and len(features) == 1:
        given = {features[0].name: given[""]}
    missing, unknown = [f.name for f in features if f.name not in given], given.keys() - {f.name for f in features}
    if missing or unknown:
        held, wanted = ", ".join(given) or "nothing", ", ".join(f.name for f in features)
        raise error("E0107", "an example does not fit the inputs", notes=[f"it holds {held}; the inputs are {wanted}"])
    found = {}
    for feature in features:
        value = given[feature.name]
        array = images(value, feature) if isinstance(value, Pixels) else _batched(value, feature)
        found[feature.name] = fitted(array, feature.dtype, f"input `{feature.name}`")
    return found


def _batched(array: Array, feature: Feature) -> Array:
    shape = feature.shape
    if array.ndim == len(shape) - 1 and (not isinstance(shape[0], int) or shape[0] in (1, -1)):
        array = array[None]
    fits = array.ndim == len(shape) and all(
        not isinstance(d, int) or d in (-1, size) for d, size in zip(shape, array.shape, strict=False)
    )
    if not fits:
        message = f"an example of input `{feature.name}` has shape {list(array.shape)}, not {list(shape)}"
        raise error("E0107", message)
    return array
