"""`edgec build`: artifacts from a source, one per target."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgec.cli.artifact_table import print_artifacts
from edgec.cli.completion import complete_target
from edgec.cli.document import print_json
from edgec.cli.progress import Progress
from edgec.cli.request_options import Device, Json, Quiet, Source, given, project_of, takes
from edgec.cli.run import guarded, show
from edgec.diag import CODES, ExitCode
from edgec.diag.render import as_json
from edgec.frontend.torch.loading import without_garbage
from edgec.spec.request_options import SourceOptions, TargetOptions

if TYPE_CHECKING:
    from edgec.compiler.build import BuildReport, Built

Many = list[str]


@takes(SourceOptions, TargetOptions)
def build_command(
    options: SourceOptions,
    settings: TargetOptions,
    source: Source = None,
    target: Annotated[
        Many | None,
        typer.Option(
            help="A target to build for; may be repeated. `edgec targets` lists them.", autocompletion=complete_target
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder for artifacts. Default: build.")] = None,
    name: Annotated[
        str | None, typer.Option(help="The model's name. Default: the name of the attribute or file.")
    ] = None,
    device: Device = None,
    emit: Annotated[Many | None, typer.Option(help="Also write an intermediate: onnx or program.")] = None,
    depfile: Annotated[
        Path | None, typer.Option(help="Write every file that the build read as a rule for make and ninja.")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Compare the graph's outputs after every pass.")] = False,
    timings: Annotated[bool, typer.Option("--timings", help="Also print the time of each pass.")] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Build SOURCE for every --target, run each artifact and compare it with the source.

    Without SOURCE, build the models of the nearest edgec.toml; with the name of one of them, build that.
    """
    more = {"target": target, "out": out and str(out), "name": name, "device": device, "emit": emit}

    def body() -> int:
        with without_garbage():
            from edgec.compiler.build import build_models
        from edgec.spec.project import requested

        models = requested(given(source, options, settings, **more), project_of(source, quiet=quiet))
        with Progress(quiet=json or quiet) as progress:
            report = build_models(models, progress, check_passes=verify)
        if depfile is not None and not report.is_incomplete:
            from edgec.compiler.depfile import write_depfile

            write_depfile(depfile, report.artifacts, [read.path for read in report.reads.found.values()])
        if timings and not json:
            _print_timings(report.built)
        return _finish(report, json, timings)

    raise typer.Exit(guarded(body, as_document=json))


def _finish(report: BuildReport, as_document: bool, timings: bool) -> int:
    failures = [d for b in report.built for d in b.failures]
    show([*report.warnings, *report.errors, *failures])
    if as_document:
        print_json(_document(report, timings))
    elif report.built:
        print_artifacts(report.built)
    if report.errors:
        return int(CODES[report.errors[0].code].exit_code)
    return int(ExitCode.CHECK_FAILED if failures else ExitCode.DONE)


def _print_timings(built: list[Built]) -> None:
    """The passes of each target in order, the passes that all targets share first."""
    for b in built:
        print(f"{b.target.name}: {sum(t.seconds for t in b.timings):.3f} s in passes", file=sys.stderr)
        for timed in b.timings:
            print(f"  {timed.seconds:8.3f} s  {timed.name}", file=sys.stderr)


def _document(report: BuildReport, timings: bool) -> dict[str, Any]:
    import json

    failures = [d for b in report.built for d in b.failures]
    return {
        "artifacts": [
            {
                "folder": str(b.folder),
                **json.loads(b.manifest.to_json()),
                **({"timings": [{"pass": t.name, "seconds": t.seconds} for t in b.timings]} if timings else {}),
            }
            for b in report.built
        ],
        "diagnostics": as_json([*report.warnings, *report.errors, *failures]),
    }
