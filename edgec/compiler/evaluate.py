"""Task accuracy of artifacts on labelled data, compared with the source: for manifests and limits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgec.artifact.evaluation import EvaluationInfo
from edgec.artifact.locate import Located, locate
from edgec.artifact.manifest import rewrite_manifest
from edgec.artifact.shown import Shown
from edgec.diag import Diagnostic, error
from edgec.diag.suggest import suggest
from edgec.evaluation.dataset import open_dataset
from edgec.evaluation.evaluate import Evaluation, Subject, evaluate
from edgec.evaluation.images import pixel_ranges
from edgec.evaluation.metrics import METRICS, Metric, OwnMetric
from edgec.frontend.dispatch import import_source
from edgec.frontend.request import SourceRequest
from edgec.frontend.user_objects import user_function
from edgec.measure.source_view import source_inputs
from edgec.runners.open import open_runner


@dataclass(frozen=True)
class Task:
    """An evaluation: `data` and `metric` as on the command line or as Python objects; the output that the metric reads,
    the labels, the ranges of image inputs, and the largest accepted drop in the metric's units.
    """

    data: str | Iterable[Any]
    metric: str | Callable[[dict[str, Any], Any], float]
    output: str | None = None
    labels: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    max_drop: float | None = None


@dataclass(frozen=True)
class EvaluationReport:
    """The evaluations, the baseline first if there is one, and failures."""

    metric: str
    samples: int
    data_sha256: str
    evaluations: tuple[Evaluation, ...]
    failures: tuple[Diagnostic, ...]


def evaluate_artifacts(paths: Sequence[Path], task: Task, source: SourceRequest | None = None) -> EvaluationReport:
    """Run the artifacts, and the source if given, on all data; the baseline is the source, else the first artifact.

    The result is recorded as `evaluation` in each artifact's manifest. Raises `EdgecError` E0101, E0102, E0107, and
    whatever a run raises.
    """
    metric = metric_named(task.metric, task.labels, task.output)
    located = [locate(path) for path in paths]
    features = source_inputs(located[0])
    data = open_dataset(task.data, task.labels)
    with contextlib.ExitStack() as stack:
        subjects = [] if source is None else [Subject(source.ref, import_source(source).reference.run)]
        for path, found in zip(paths, located, strict=True):
            shown = found.manifest.shown if found.manifest else Shown()
            runner = stack.enter_context(open_runner(found.path, as_source=shown))
            subjects.append(Subject(str(path), runner.run))
        evaluations = evaluate(subjects, features, data, pixel_ranges(task.ranges, located[0].manifest), metric)
    report = EvaluationReport(metric.title, data.count, data.sha256, tuple(evaluations), ())
    for found, evaluation in zip(located, evaluations[-len(located) :], strict=True):
        _record(found, evaluation, report, beside_source=source is not None)
    return replace(report, failures=_dropped(evaluations, metric.title, task.max_drop))


def metric_named(
    text: str | Callable[[dict[str, Any], Any], float], labels: Sequence[str] = (), output: str | None = None
) -> Metric:
    """A metric by its name, the user's `file.py:fn`, or a function. Raises `EdgecError` E0101 for an unknown name."""
    if callable(text):
        return OwnMetric(text, getattr(text, "__name__", "metric"))
    if ".py:" in text:
        return OwnMetric(user_function(text), text)
    if text in METRICS:
        return METRICS[text](labels, output)
    near = suggest(text, list(METRICS))
    notes = [f"the metrics are {', '.join(METRICS)} and file.py:fn"]
    raise error("E0101", f"there is no metric `{text}`", notes=notes, help=[f"did you mean `{near}`?"] if near else [])


def read_labels(path: Path) -> tuple[str, ...]:
    """Read one label per line; a line with a single space is the label space. Raises `EdgecError` E0102."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as failure:
        raise error("E0102", f"the labels `{path}` cannot be read", notes=[type(failure).__name__]) from failure
    while lines and not lines[-1]:
        lines.pop()
    return tuple(line.rstrip("\r") for line in lines)


def _record(found: Located, evaluation: Evaluation, report: EvaluationReport, *, beside_source: bool) -> None:
    """Record in the manifest, replacing an earlier evaluation of the same metric and data."""
    if found.manifest is None:
        return
    m, d = evaluation.metric, evaluation.drop if beside_source else None
    entry = EvaluationInfo(
        report.metric, m.value, m.low, m.high, report.samples, report.data_sha256,
        *((d.value, d.low, d.high, d.p_value) if d else ()),
    )  # fmt: skip
    others = [e for e in found.manifest.evaluation if (e.metric, e.data_sha256) != (report.metric, report.data_sha256)]
    rewrite_manifest(found.path.parent / "manifest.json", replace(found.manifest, evaluation=(*others, entry)))


def _dropped(evaluations: Sequence[Evaluation], metric: str, limit: float | None) -> tuple[Diagnostic, ...]:
    """Artifacts that are worse than the baseline by more than the limit."""
    if limit is None:
        return ()
    if len(evaluations) < 2:
        raise error("E0101", "`--max-drop` compares, and there is one artifact", help=["add `--against SOURCE`"])
    failures = []
    for e in evaluations[1:]:
        if e.drop is not None and not e.drop.value <= limit:
            notes = (
                f"95 % interval of the drop: {e.drop.low:.2f} to {e.drop.high:.2f}",
                "chance explains the difference" if not e.drop.is_significant else f"p = {e.drop.p_value:.2g}",
            )
            message = f"`{e.name}` loses {e.drop.value:.2f} of {metric}, and {limit:g} is accepted"
            failures.append(Diagnostic("E0616", message, notes=notes))
    return tuple(failures)
