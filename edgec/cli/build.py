"""`edgec build`: artifacts from a source, one per target."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgec.cli.artifact_table import print_artifacts
from edgec.cli.document import print_json
from edgec.cli.progress import Progress
from edgec.cli.run import guarded, show
from edgec.diag import CODES, ExitCode
from edgec.diag.render import as_json
from edgec.frontend.torch.loading import without_garbage

if TYPE_CHECKING:
    from edgec.compiler.build import BuildReport, Built
    from edgec.compiler.options import BuildOptions
    from edgec.frontend.request import SourceRequest
    from edgec.spec.project import Project

Many = list[str]

_WIDE = 200
"""Columns if there is no terminal: logs are not wrapped."""


def build_command(
    source: Annotated[
        str | None,
        typer.Argument(
            help="file.py:attr, package.module:attr, .onnx, .pt2 or TorchScript. Default: the source in edgec.toml.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        Many | None, typer.Option(help="A target to build for; may be repeated. `edgec targets` lists them.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder for artifacts. Default: build.")] = None,
    input: Annotated[
        Many | None, typer.Option(help="An example input: NAME=SHAPE[:DTYPE], NAME=VALUE or NAME=@FILE.")
    ] = None,
    samples: Annotated[
        str | None,
        typer.Option(help="Real samples: .npz files with the inputs by name; the first is the example."),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="A state dict for the module: .safetensors or .pt.")] = None,
    extension: Annotated[
        Path | None, typer.Option(help="A Python file that defines custom operators: docs/how-to/extensions.md.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The model's name. Default: the name of the attribute or file.")
    ] = None,
    dynamic: Annotated[Many | None, typer.Option(help="Open dimensions: x:0=batch,2..3=8..512 or 64..512/32.")] = None,
    function: Annotated[
        Many | None, typer.Option(help="Another function of the same artifact, which shares its weights: NAME=SOURCE.")
    ] = None,
    state: Annotated[
        Many | None, typer.Option(help="A state, passed from an output to an input of the next run: INPUT=OUTPUT.")
    ] = None,
    range: Annotated[
        Many | None, typer.Option(help="The range of an input: NAME=LOW..HIGH; NAME=V..V for a constant.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="The device to predict for. Default: the target's first device.")
    ] = None,
    set: Annotated[Many | None, typer.Option("--set", help="Override a target's setting: KEY=VALUE.")] = None,
    io_layout: Annotated[
        Many | None, typer.Option(help="TFLite: nhwc for 4-D inputs and outputs, or NAME=nhwc.")
    ] = None,
    via: Annotated[str | None, typer.Option(help="TFLite: another emitter, onnx2tf, in its own environment.")] = None,
    enable: Annotated[Many | None, typer.Option(help="Enable a rule by name.")] = None,
    disable: Annotated[Many | None, typer.Option(help="Disable a rule by name.")] = None,
    emit: Annotated[Many | None, typer.Option(help="Also write an intermediate: onnx or program.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Compare the graph's outputs after every pass.")] = False,
    timings: Annotated[bool, typer.Option("--timings", help="Also print the time of each pass.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")] = False,
) -> None:
    """Build SOURCE for every --target, run each artifact and compare it with the source."""

    given = {
        "target": target,
        "out": out and str(out),
        "input": input,
        "samples": samples,
        "weights": weights and str(weights),
        "extension": extension and str(extension),
        "name": name,
        "dynamic": dynamic,
        "function": function,
        "state": state,
        "range": range,
        "device": device,
        "set": set,
        "io_layout": io_layout,
        "via": via,
        "enable": enable,
        "disable": disable,
        "emit": emit,
    }

    def body() -> int:
        with without_garbage():
            from edgec.compiler.build import build
            from edgec.frontend.extensions import extension_of

        project = _project(source, given)
        functions = dict(_named(text) for text in project.function)
        own = extension_of(project.extension)  # before any source: it may define operators that sources use
        request = replace(_request(project, project.source, None, functions), extension=own)
        others = tuple(
            (f, replace(_request(project, ref, f, functions), extension=own)) for f, ref in functions.items()
        )
        with Progress(quiet=json or quiet) as progress:
            report = build(request, project.target, _options(project, verify, others), progress)
        if timings and not json:
            _print_timings(report.built)
        return _finish(report, json, timings)

    raise typer.Exit(guarded(body, as_document=json))


def _project(source: str | None, given: dict[str, Any]) -> Project:
    """The request: the command line's options, over those of the project file if no source is given."""
    from edgec.diag import error
    from edgec.spec.project import Project, load_project

    words: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items() if v}
    project = replace(load_project(Path()), **words) if source is None else Project(source, **words)
    if not project.target:
        raise error("E0101", "no target was given", help=["add `--target`; `edgec targets` lists them"])
    return project


def _request(project: Project, ref: str, own: str | None, functions: dict[str, str]) -> SourceRequest:
    """The request for one source: `FUNCTION/x=…` applies to that function, everything else to SOURCE."""
    from edgec.frontend.dynamic import parse_dynamics
    from edgec.frontend.request import SourceRequest
    from edgec.frontend.samples.inputs import InputSpec, with_samples
    from edgec.frontend.state_pairs import parse_state
    from edgec.spec.ranges import parse_ranges

    said = (project.input, project.dynamic, project.state, project.range)
    inputs, dims, states, ranges = (_of(texts, own, functions) for texts in said)
    return SourceRequest(
        ref,
        with_samples([InputSpec.parse(i) for i in inputs], project.samples if own is None else None),
        project.name if own is None else own,
        Path(project.weights) if project.weights else None,
        parse_dynamics(dims),
        tuple(parse_state(s) for s in states),
        parse_ranges(tuple(ranges)),
    )


def _options(project: Project, verify: bool, others: tuple[tuple[str, SourceRequest], ...]) -> BuildOptions:
    from edgec.compiler.options import BuildOptions

    return BuildOptions(
        Path(project.out),
        project.device,
        project.set,
        project.enable,
        project.disable,
        project.emit,
        verify,
        project.io_layout,
        project.via,
        others,
    )


def _named(text: str) -> tuple[str, str]:
    """`NAME=SOURCE` of `--function`."""
    from edgec.diag import error

    name, equals, ref = text.partition("=")
    if not equals or not name.isidentifier() or not ref:
        raise error("E0101", f"`--function {text}` is not NAME=SOURCE", help=["write `--function decode=file.py:attr`"])
    return name, ref


def _of(texts: Sequence[str], own: str | None, functions: dict[str, str]) -> Many:
    """The options for one function (None: SOURCE), without the function's name."""
    found = []
    for text in texts:
        head, slash, rest = text.partition("/")
        belongs = head if slash and head in functions else None
        if belongs == own:
            found.append(rest if belongs else text)
    return found


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
