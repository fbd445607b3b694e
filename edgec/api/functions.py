"""The functions of the Python API, which correspond to the command line, for models in memory and for files.

A *source* is an `nn.Module` (scripted or not), an `ExportedProgram`, or text as on the command line
(`"net.py:model"`, `"model.onnx"`). An *artifact* is a result of `build`, or a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from edgec.api.keywords import Arguments, BuildKeywords, PredictKeywords, SourceKeywords
from edgec.api.requests import requests
from edgec.artifact.locate import locate
from edgec.compiler.build import BuildReport, Built
from edgec.compiler.build import build as build_source
from edgec.compiler.check import Budget, CheckReport, Execution, check_artifact
from edgec.compiler.diff import Divergence, compare_artifacts
from edgec.compiler.evaluate import EvaluationReport, Task, evaluate_artifacts
from edgec.compiler.forecast import Forecast, predict_source
from edgec.compiler.options import options_of
from edgec.diag import Diagnostic, EdgecError, error
from edgec.measure.inspection import Summary

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    Array = NDArray[np.generic]
    Source = torch.nn.Module | torch.export.ExportedProgram | str | Path

Artifact = Built | str | Path


class PartialBuildError(EdgecError):
    """Some targets could not be built. `built` contains the artifacts of the others."""

    def __init__(self, diagnostics: Sequence[Diagnostic], built: Mapping[str, Built]) -> None:
        super().__init__(diagnostics)
        self.built = dict(built)


@overload
def build(module: Source, example_inputs: Arguments | None, target: str, **options: Unpack[BuildKeywords]) -> Built: ...
@overload
def build(
    module: Source, example_inputs: Arguments | None = None, *, target: str, **options: Unpack[BuildKeywords]
) -> Built: ...
@overload
def build(
    module: Source,
    example_inputs: Arguments | None = None,
    *,
    targets: Sequence[str],
    **options: Unpack[BuildKeywords],
) -> dict[str, Built]: ...
def build(
    module: Source,
    example_inputs: Arguments | None = None,
    target: str | None = None,
    *,
    targets: Sequence[str] = (),
    **options: Unpack[BuildKeywords],
) -> Built | dict[str, Built]:
    """Build a source for one `target`, or once for several `targets`; run each artifact and compare it.

    Artifacts are written to `out/<name>/<target>/` (`out` is `build`, the name that of the module's class). Returns the
    artifact, or with `targets` a dictionary of them by name. Failed checks are in `Built.failures`. The module is not
    changed. Raises the `EdgecError` that the command line reports; a `PartialBuildError` if only some targets could be
    built.
    """
    names = [*targets] if target is None else [target, *targets]
    if not names:
        raise error("E0101", "no target was given", help=["`target=` is one, `targets=` several"])
    progress = options.get("progress") or _silent
    with requests(module, example_inputs, options) as (model, sources):
        asked = replace(model, target=tuple(names))
        made = options_of(asked, sources, check_passes=options.get("verify", False))
        report = build_source(sources.main, names, made, progress)
    built = _by_target(report)
    if report.errors:
        raise PartialBuildError(report.errors, built) if built else EdgecError(report.errors)
    return built[names[0]] if target is not None and not targets else built


def _by_target(report: BuildReport) -> dict[str, Built]:
    """The artifacts, each with the diagnostics common to all."""
    own = [d for b in report.built for d in b.told]
    shared = [d for d in report.warnings if d not in own]
    return {b.manifest.target: replace(b, told=(*shared, *b.told)) for b in report.built}


def predict(
    module: Source,
    example_inputs: Arguments | None = None,
    *,
    target: str,
    **options: Unpack[PredictKeywords],
) -> Forecast:
    """Predict the latency of a source on a device, as built for the target. Nothing is written."""
    with requests(module, example_inputs, options) as (model, sources):
        progress = options.get("progress") or _silent
        return predict_source(sources.main, target, options_of(model, sources), progress)


def check(
    artifact: Artifact,
    module: Source | None = None,
    example_inputs: Arguments | None = None,
    *,
    max_bytes: int | None = None,
    max_ms: float | None = None,
    function: str | None = None,
    on: str = "local",
    **options: Unpack[SourceKeywords],
) -> CheckReport:
    """Reload an artifact, run it, and compare it with its manifest and, if one is given, with its source.

    Options of the source that are not given (inputs, dimensions, states, ranges) are those of the build. Failed checks
    are in `CheckReport.failures`, a source that changed since the build in `CheckReport.warnings`.
    """
    path, budget = _path(artifact), Budget(max_bytes, max_ms)
    if module is None:
        return check_artifact(path, None, budget, Execution(function, on))
    with requests(module, example_inputs, options, locate(path)) as (_, sources):
        return check_artifact(path, sources.main, budget, Execution(function, on, sources.functions))


def evaluate(
    artifacts: Artifact | Sequence[Artifact],
    data: str | Iterable[tuple[Any, Any]],
    metric: str | Callable[[dict[str, Array], Any], float],
    *,
    module: Source | None = None,
    example_inputs: Arguments | None = None,
    output: str | None = None,
    labels: Sequence[str] = (),
    max_drop: float | None = None,
    **options: Unpack[SourceKeywords],
) -> EvaluationReport:
    """Measure task accuracy on labelled data, of artifacts and of the source if one is given, in one pass.

    `data` yields (inputs, target), or is named as on the command line. `metric` is a name, or a function of the outputs
    by name and the target, of which the mean is taken. Drops beyond `max_drop` are in `EvaluationReport.failures`.
    """
    named = [artifacts] if isinstance(artifacts, Built | str | Path) else artifacts
    paths, ranges = [_path(artifact) for artifact in named], tuple(options.get("ranges", ()))
    task = Task(data, metric, output, tuple(labels), ranges, max_drop)
    if module is None:
        return evaluate_artifacts(paths, task)
    with requests(module, example_inputs, options, locate(paths[0])) as (_, sources):
        return evaluate_artifacts(paths, task, sources.main)


def run(
    artifact: Artifact,
    inputs: Mapping[str, Any],
    *,
    function: str | None = None,
    precision: str | None = None,
    on: str = "local",
) -> dict[str, Array]:
    """Run an artifact on arrays (or tensors) by name, in the artifact's layout. Returns its outputs by name."""
    import numpy as np

    from edgec.runners.open import open_runner

    with open_runner(locate(_path(artifact)).path, precision, function=function, on=on) as runner:
        return runner.run({name: np.asarray(value) for name, value in inputs.items()})


def diff(
    first: Artifact, second: Artifact, inputs: Mapping[str, Any] | None = None, *, tolerance: float = 1e-3
) -> Divergence:
    """Find the first value at which two artifacts of one model differ by more than `tolerance` (relative)."""
    import numpy as np

    given = {name: np.asarray(value) for name, value in (inputs or {}).items()}
    return compare_artifacts(_path(first), _path(second), given, tolerance)


def inspect(artifact: Artifact) -> Summary:
    """The contents of an artifact or model file: interface, states, operators, weights, metadata."""
    from edgec.measure.inspection import inspect as inspect_file

    found = locate(_path(artifact))
    summary: Summary = inspect_file(found.path)
    return summary if found.manifest is None else summary.described(found.manifest)


def _path(artifact: Artifact) -> Path:
    return artifact.folder if isinstance(artifact, Built) else Path(artifact)


def _silent(step: str) -> None:
    """The default progress callback, which shows nothing."""
