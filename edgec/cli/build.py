"""`edgec build`: artifacts from a source, one for each target."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgec.cli.progress import Progress
from edgec.cli.run import guarded, print_json, show
from edgec.diag import CODES, ExitCode
from edgec.diag.render import as_json

if TYPE_CHECKING:
    from edgec.driver import BuildReport, Built

Many = list[str]

_WIDE = 200
"""Columns where there is no terminal: logs are not folded."""


def build_command(
    source: Annotated[
        str, typer.Argument(help="file.py:attr, package.module:attr, .onnx, .pt2 or TorchScript", show_default=False)
    ],
    target: Annotated[Many, typer.Option(help="What to build for; may be repeated. `edgec targets` lists them.")],
    out: Annotated[Path, typer.Option(help="The folder for artifacts.")] = Path("build"),
    input: Annotated[Many | None, typer.Option(help="An example input: NAME=SHAPE[:DTYPE].")] = None,
    weights: Annotated[Path | None, typer.Option(help="A state dict for the code: .safetensors, .pt.")] = None,
    name: Annotated[str | None, typer.Option(help="The model's name; else the attribute's or the file's.")] = None,
    dynamic: Annotated[Many | None, typer.Option(help="Open dimensions: x:0=batch,2..3=8..512.")] = None,
    state: Annotated[Many | None, typer.Option(help="What goes on to the next run: INPUT=OUTPUT.")] = None,
    device: Annotated[str | None, typer.Option(help="The device to predict for; else the target's first.")] = None,
    set: Annotated[Many | None, typer.Option("--set", help="Override a target's setting: KEY=VALUE.")] = None,
    io_layout: Annotated[
        Many | None, typer.Option(help="TFLite: nhwc for 4-D inputs and outputs, or NAME=nhwc.")
    ] = None,
    via: Annotated[str | None, typer.Option(help="TFLite: another emitter, onnx2tf, in its own environment.")] = None,
    enable: Annotated[Many | None, typer.Option(help="Switch a rule on by name.")] = None,
    disable: Annotated[Many | None, typer.Option(help="Switch a rule off by name.")] = None,
    emit: Annotated[Many | None, typer.Option(help="Also write the intermediate: onnx or program.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check the graph's numbers after every pass.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")] = False,
) -> None:
    """Build SOURCE for every --target, run each artifact and compare it with the source."""

    def body() -> int:
        from edgec.driver import BuildOptions, build
        from edgec.frontend.dynamic import parse_dynamic
        from edgec.frontend.inputs import InputSpec
        from edgec.frontend.pairs import parse_state
        from edgec.frontend.source import SourceRequest

        open_dims = tuple(dim for text in dynamic or () for dim in parse_dynamic(text))
        specs, pairs = tuple(InputSpec.parse(i) for i in input or ()), tuple(parse_state(s) for s in state or ())
        request = SourceRequest(source, specs, name, weights, open_dims, pairs)
        options = BuildOptions(
            out,
            device,
            tuple(set or ()),
            tuple(enable or ()),
            tuple(disable or ()),
            tuple(emit or ()),
            verify,
            tuple(io_layout or ()),
            via,
        )
        with Progress(quiet=json) as progress:
            report = build(request, target, options, progress)
        return _finish(report, json)

    raise typer.Exit(guarded(body, as_document=json))


def _finish(report: BuildReport, as_document: bool) -> int:
    failures = [d for b in report.built for d in b.failures]
    show([*report.warnings, *report.errors, *failures])
    if as_document:
        print_json(_document(report))
    elif report.built:
        _print_table(report.built)
    if report.errors:
        return int(CODES[report.errors[0].code].exit_code)
    return int(ExitCode.CHECK_FAILED if failures else ExitCode.DONE)


def _document(report: BuildReport) -> dict[str, Any]:
    import json

    failures = [d for b in report.built for d in b.failures]
    return {
        "artifacts": [{"folder": str(b.folder), **json.loads(b.manifest.to_json())} for b in report.built],
        "diagnostics": as_json([*report.warnings, *report.errors, *failures]),
    }


def _print_table(built: list[Built]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("target", "artifact", "size", "accuracy", "checked by", "latency (predicted)"):
        table.add_column(heading, justify="right" if heading == "size" else "left", overflow="fold")
    for b in built:
        m = b.manifest
        path = str(b.folder / m.artifact.path)
        table.add_row(m.target, path, _size(m.artifact.bytes), _accuracy(b), m.accuracy.runner, _latency(b))
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    console.print(table)
    for note in dict.fromkeys(b.manifest.accuracy.note for b in built if b.manifest.accuracy.note):
        console.print(f"note: {note}", style="dim", highlight=False)


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _accuracy(built: Built) -> str:
    a = built.manifest.accuracy
    worst = f"rel {a.max_rel:.1e}" if a.max_rel is not None else ""
    psnr = f", {a.psnr_db:.0f} dB" if a.psnr_db is not None and a.psnr_db < 1e6 else ""
    return f"{a.status} ({worst}{psnr})"


def _latency(built: Built) -> str:
    parts = [f"{p.p50_ms:.2f} ms ({p.low_ms:.2f} to {p.high_ms:.2f}) {p.device}" for p in built.manifest.latency]
    return "; ".join(parts) or "no device"
