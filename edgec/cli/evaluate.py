"""`edgec evaluate`: task accuracy on labelled data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgec.cli.document import print_json
from edgec.cli.request_options import Json, Settings, one_model, takes
from edgec.cli.rewrites import aligned
from edgec.cli.run import guarded, show
from edgec.spec.request_options import SourceOptions, TargetOptions

if TYPE_CHECKING:
    from edgec.compiler.evaluate import EvaluationReport


@takes(SourceOptions)
def evaluate_command(
    artifacts: Annotated[list[Path], typer.Argument(help="Artifacts, their manifest.json or builds' folders.")],
    data: Annotated[str, typer.Option(help="FILE.npz, a folder with one folder of images per class, or file.py:attr.")],
    metric: Annotated[str, typer.Option(help="top1, top5, f1, map, wer, cer, or a function: file.py:fn.")],
    options: SourceOptions,
    against: Annotated[
        str | None, typer.Option(help="The source, evaluated on the same data: file.py:attr, model.onnx …")
    ] = None,
    max_drop: Annotated[
        float | None, typer.Option(help="The largest accepted loss, in the metric's units: points of a percentage.")
    ] = None,
    output: Annotated[str | None, typer.Option(help="The output that the metric looks at.")] = None,
    labels: Annotated[Path | None, typer.Option(help="The names of classes, or symbols of a text: one a line.")] = None,
    set: Settings = None,
    json: Json = False,
) -> None:
    """Measure task accuracy on labelled data, with 95 % confidence intervals and a paired test against the source.

    Artifacts are run on this machine, all in one pass over the data; their manifests record the result.
    """

    def body() -> int:
        from edgec.compiler.evaluate import Task, evaluate_artifacts, read_labels
        from edgec.diag.render import as_json
        from edgec.frontend.requested import sources_of

        source = None
        if against is not None:
            source = sources_of(one_model(against, options, TargetOptions(tuple(set or ())))).main
        named = read_labels(labels) if labels is not None else ()
        task = Task(data, metric, output, named, tuple(options.range), max_drop)
        report = evaluate_artifacts(artifacts, task, source)
        show(report.failures)
        if json:
            print_json({**_document(report), "diagnostics": as_json(report.failures)})
        else:
            print("\n".join(aligned(_rows(report))))
        return 1 if report.failures else 0

    raise typer.Exit(guarded(body, as_document=json))


def _document(report: EvaluationReport) -> dict[str, object]:
    return {k: v for k, v in asdict(report).items() if k != "failures"}


def _rows(report: EvaluationReport) -> list[list[str]]:
    rows = [["subject", report.metric, "95 % interval", "drop", "95 % interval", "p"]]
    for e in report.evaluations:
        m, d = e.metric, e.drop
        own = [e.name, f"{m.value:.2f}", f"{m.low:.2f} to {m.high:.2f}"]
        compared = [f"{d.value:.2f}", f"{d.low:.2f} to {d.high:.2f}", f"{d.p_value:.2g}"] if d else ["", "", ""]
        rows.append([*own, *compared])
    return [*rows, [f"{report.samples} samples, one pass", "", "", "", "", ""]]
