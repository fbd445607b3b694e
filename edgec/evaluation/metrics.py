"""Metrics of tasks: a record for each sample, and the metric over all records.

Values are percentages, except for user-defined functions, which have their own units.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgec.diag import error
from edgec.evaluation.detection import Boxes, average_precision, found_boxes, true_boxes
from edgec.evaluation.statistics import (
    Difference,
    Interval,
    Records,
    bootstrap,
    paired_bootstrap,
    paired_proportions,
    proportion,
)
from edgec.evaluation.text import edit_distance, greedy_text

Array = NDArray[np.generic]
Outputs = Mapping[str, Array]


class Metric(ABC):
    """A metric: a `record` of each sample, and the value over all records.

    `labels` are names of classes, or the characters of a recognizer; `output` names the output to evaluate.
    """

    name: ClassVar[str]
    higher_is_better: ClassVar[bool] = True

    def __init__(self, labels: Sequence[str] = (), output: str | None = None) -> None:
        self.labels, self.output = tuple(labels), output
        self.title = self.name

    @abstractmethod
    def record(self, outputs: Outputs, target: Any) -> Any:
        """The record of a sample, a row of numbers. Raises `EdgecError` E0107 for outputs or targets of another
        task.
        """

    @abstractmethod
    def value(self, records: Records) -> float:
        """The metric of all records."""

    def interval(self, records: Records) -> Interval:
        """The value with its 95 % confidence interval."""
        return bootstrap(self.value, records)

    def difference(self, before: Records, after: Records) -> Difference:
        """The difference of `after` minus `before`."""
        return paired_bootstrap(self.value, before, after)

    def only(self, outputs: Outputs) -> Array:
        """The output to evaluate. Raises `EdgecError` E0107 if it is ambiguous."""
        name = self.output or (next(iter(outputs)) if len(outputs) == 1 else None)
        if name is None or name not in outputs:
            message = f"there is no output `{name}`" if name else f"`{self.name}` does not know which output to look at"
            notes = [f"the outputs are {', '.join(outputs)}"]
            raise error("E0107", message, notes=notes, help=[f"add `--output {next(iter(outputs))}`"])
        return outputs[name]


class Top(Metric):
    """The share of samples whose class is among the `count` highest scores."""

    count: ClassVar[int] = 1
    name = "top1"

    def record(self, outputs: Outputs, target: Any) -> list[float]:
        scores = scores_of(self.only(outputs), self.name)
        truth = class_of(target, len(scores), self.labels)
        return [float(np.count_nonzero(scores > scores[truth]) < self.count and not np.isnan(scores[truth]))]

    def value(self, records: Records) -> float:
        return 100 * float(np.mean(records))

    def interval(self, records: Records) -> Interval:
        found = proportion(np.asarray(records, np.float64)[:, 0])
        return Interval(100 * found.value, 100 * found.low, 100 * found.high)

    def difference(self, before: Records, after: Records) -> Difference:
        found = paired_proportions(np.asarray(before, np.float64)[:, 0], np.asarray(after, np.float64)[:, 0])
        return Difference(100 * found.value, 100 * found.low, 100 * found.high, found.p_value)


class Top5(Top):
    """The share of samples whose class is among the five highest scores."""

    count = 5
    name = "top5"


class F1(Metric):
    """Macro F1: the mean over occurring classes of the harmonic mean of precision and recall."""

    name = "f1"

    def record(self, outputs: Outputs, target: Any) -> list[float]:
        scores = scores_of(self.only(outputs), self.name)
        return [float(np.argmax(scores)), float(class_of(target, len(scores), self.labels))]

    def value(self, records: Records) -> float:
        found, truth = np.asarray(records, np.int64).T
        size = int(max(found.max(), truth.max())) + 1
        hits = np.bincount(truth[found == truth], minlength=size)
        counted = np.bincount(found, minlength=size) + np.bincount(truth, minlength=size)
        return 100 * float(np.mean(2 * hits[counted > 0] / counted[counted > 0]))


class WordErrorRate(Metric):
    """Insertions, deletions and substitutions of words, divided by the number of words in the true texts.

    The output is (T, symbols) scores of connectionist temporal classification, read greedily: symbol 0 is the blank,
    symbol i is `labels[i - 1]`.
    """

    name = "wer"
    higher_is_better = False

    def record(self, outputs: Outputs, target: Any) -> list[float]:
        truth = self.units(str(target))
        found = self.units(greedy_text(self.only(outputs), self.labels))
        return [float(edit_distance(found, truth)), float(len(truth))]

    def units(self, text: str) -> Sequence[str]:
        """The units that are counted in a text."""
        return text.split()

    def value(self, records: Records) -> float:
        edits, units = np.asarray(records, np.float64).sum(axis=0)
        return 100 * float(edits / max(units, 1))


class CharacterErrorRate(WordErrorRate):
    """Insertions, deletions and substitutions of characters, divided by the number of characters in the true texts."""

    name = "cer"

    def units(self, text: str) -> Sequence[str]:
        return text


class MeanAveragePrecision(Metric):
    """COCO's mean average precision: over classes, and IoU thresholds from 0.50 to 0.95.

    Outputs are named `boxes` (…, 4) as corners, `scores` and `labels` or `classes`; targets are a mapping of `boxes`
    and `labels`.
    """

    name = "map"

    def record(self, outputs: Outputs, target: Any) -> tuple[Boxes, Boxes]:
        return found_boxes(outputs), true_boxes(target)

    def value(self, records: Records) -> float:
        return 100 * average_precision(list(records))


class OwnMetric(Metric):
    """The mean over samples of a user-defined function: `score(outputs, target)`."""

    name = "own"

    def __init__(self, function: Callable[[dict[str, Array], Any], float], name: str) -> None:
        super().__init__()
        self._function = function
        self.title = name

    def record(self, outputs: Outputs, target: Any) -> list[float]:
        found = self._function(dict(outputs), target)
        try:
            return [float(found)]
        except (TypeError, ValueError) as failure:
            kind = type(found).__name__
            raise error("E0107", f"the metric `{self.title}` gives a {kind}", help=["return one number"]) from failure

    def value(self, records: Records) -> float:
        return float(np.mean(np.asarray(records, np.float64)))


METRICS: Mapping[str, type[Metric]] = {
    metric.name: metric for metric in (Top, Top5, F1, MeanAveragePrecision, WordErrorRate, CharacterErrorRate)
}
"""By name on the command line."""


def scores_of(output: Array, metric: str) -> NDArray[np.float64]:
    """The class scores in an output (classes,) or (1, classes). Raises `EdgecError` E0107 for other shapes."""
    scores = np.asarray(output, np.float64)
    while scores.ndim > 1 and scores.shape[0] == 1:
        scores = scores[0]
    if scores.ndim != 1 or len(scores) < 2:
        message = f"`{metric}` takes scores of classes, and the output has shape {list(output.shape)}"
        raise error("E0107", message, help=["name the output of the scores, or give a function: `--metric file.py:fn`"])
    return scores


def class_of(target: Any, classes: int, labels: Sequence[str]) -> int:
    """The class's index. Raises `EdgecError` E0107 for an unknown label or an index out of range."""
    if isinstance(target, str):
        if target not in labels:
            message = f"`{target}` is no label" if labels else f"`{target}` is a name, and the classes have none"
            raise error("E0107", message, help=["add `--labels FILE`: one name a line, in the order of the scores"])
        target = labels.index(target)
    values = np.asarray(target)
    if values.size != 1 or values.dtype.kind not in "iub":
        raise error("E0107", f"a class is one number or name, not {target!r}")
    number = int(values.reshape(()))
    if not 0 <= number < classes:
        raise error("E0107", f"class {number} is not one of the {classes} classes that the output scores")
    return number
