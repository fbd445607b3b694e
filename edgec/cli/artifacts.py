"""The commands that take an artifact: check and diff."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from edgec.cli.document import print_json
from edgec.cli.request_options import Json, Settings, one_model, takes
from edgec.cli.rewrites import aligned
from edgec.cli.run import guarded, show
from edgec.spec.request_options import SourceOptions, TargetOptions, said

ArtifactPath = Annotated[Path, typer.Argument(help="An artifact, its manifest.json or a build's folder.")]
Inputs = Annotated[list[str] | None, typer.Option("--input", help="An array: FILE.npy, NAME=FILE.npy or FILE.npz.")]
Where = Annotated[
    str,
    typer.Option(
        help="Where to run: local; qemu (TFLite, emulated Arm kernels); adb:SERIAL or ssh://HOST (TFLite, on a "
        "device); mac or apple:DEVICE:APP (Core ML)."
    ),
]


@takes(SourceOptions)
def check_command(
    artifact: ArtifactPath,
    options: SourceOptions,
    against: Annotated[
        str | None, typer.Option(help="The source to compare with: file.py:attr, model.onnx, a model of edgec.toml …")
    ] = None,
    set: Settings = None,
    max_bytes: Annotated[int | None, typer.Option(help="The largest accepted size.")] = None,
    max_ms: Annotated[float | None, typer.Option(help="The largest accepted predicted latency.")] = None,
    on: Where = "local",
    result: Annotated[
        Path | None,
        typer.Option(help="The result file of load_all.py on a Mac: recorded in the manifest as device_loaded."),
    ] = None,
    json: Json = False,
) -> None:
    """Reload an artifact, compare it with its manifest and its source, and check its size and latency budgets.

    `--function NAME` runs one function of a package that has several, `--function NAME=SOURCE` also compares it.
    """

    def body() -> int:
        from edgec.compiler.check import Budget, Execution, check_artifact, check_model
        from edgec.diag.render import as_json

        run, described = _function_to_run(options)
        budget, way = Budget(max_bytes, max_ms), Execution(run, on, settings=tuple(set or ()))
        if against is None:
            _refuse_options(described)
            report = check_artifact(artifact, None, budget, way, result)
        else:
            model = one_model(against, described, TargetOptions(way.settings), quiet=json)
            report = check_model(artifact, model, budget, way, result)
        told_of = [*report.warnings, *report.failures]
        show(told_of)
        if json:
            print_json({"checks": report.checks, "diagnostics": as_json(told_of)})
        else:
            _table(["check", "result"], [[name, result] for name, result in report.checks.items()])
        return 1 if report.failures else 0

    raise typer.Exit(guarded(body, as_document=json))


def _function_to_run(options: SourceOptions) -> tuple[str | None, SourceOptions]:
    """The NAME of `--function NAME`, and the options without it. Raises `EdgecError` E0101 for two."""
    from edgec.diag import error

    run = [text for text in options.function if "=" not in text]
    if len(run) > 1:
        raise error("E0101", f"`--function` names {run[0]} and {run[1]}", help=["add the sources: NAME=SOURCE"])
    named = tuple(text for text in options.function if text not in run)
    return (run[0] if run else None), replace(options, function=named)


def _refuse_options(options: SourceOptions) -> None:
    """Options of a source without one are a mistake."""
    from edgec.diag import error

    if told := [name.replace("_", "-") for name in said(options)]:
        raise error("E0101", f"`--{told[0]}` describes a source", help=["add `--against SOURCE`, or remove the option"])


def diff_command(
    first: Annotated[Path, typer.Argument(help="The artifact to use as the reference.")],
    second: Annotated[Path, typer.Argument(help="Another artifact of the same model.")],
    input: Inputs = None,
    tolerance: Annotated[float, typer.Option(help="The largest relative error that counts as equal.")] = 1e-3,
    json: Json = False,
) -> None:
    """Find the first value at which two artifacts of one model differ."""

    def body() -> int:
        from edgec.compiler.diff import compare_artifacts

        found = compare_artifacts(first, second, input or [], tolerance)
        if json:
            print_json(found.document())
        else:
            print("\n".join(found.lines()))
        return 1 if found.first is not None else 0

    raise typer.Exit(guarded(body, as_document=json))


def _table(heads: list[str], rows: list[list[str]]) -> None:
    print("\n".join(aligned([heads, *rows])))
