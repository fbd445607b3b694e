"""`edgec devices`: list device profiles and their predictors, fit predictors to tables, adapt one to a device."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgec.cli.columns import columns
from edgec.cli.completion import complete_device
from edgec.cli.progress import Progress
from edgec.cli.run import guarded, show
from edgec.cli.terminal import columns_of
from edgec.diag import ExitCode

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="Devices to show in full; `fit DATA`; or `adapt NAME MEASUREMENTS`.",
        show_default=False,
        autocompletion=complete_device,
    ),
]


def devices_command(
    names: Words = None,
    cache: Annotated[Path, typer.Option(help="`fit`: where the features of networks are kept.")] = Path(
        "build/latency"
    ),
    out: Annotated[Path, typer.Option(help="`fit`: the folder of profiles to write into.")] = Path("device_profiles"),
    only: Annotated[list[str] | None, typer.Option(help="`fit`: the predictors to fit. Default: all.")] = None,
) -> None:
    """List the device profiles, show some, fit predictors of latency, or adapt them to your own device."""
    words = names or []

    def body() -> int:
        match words:
            case ["fit", data]:
                return _fit(Path(data), cache, out, only or [])
            case ["adapt", name, measurements]:
                return _adapt(name, Path(measurements))
            case ["fit" | "adapt", *_]:
                from edgec.diag import error

                raise error("E0101", f"`devices {words[0]}` has not what it needs", help=["see `edgec devices --help`"])
            case _:
                return _show(words[1:] if words[:1] == ["show"] else words)

    raise typer.Exit(guarded(body))


def _show(names: list[str]) -> int:
    from edgec.compiler.device_listing import device_listing
    from edgec.spec.describe import show_device

    if names:
        print("\n\n".join(map(show_device, names)))
        return int(ExitCode.DONE)
    found = device_listing()
    print("\n".join(columns(found.rows, columns_of(sys.stdout))))
    show(found.broken)
    return int(ExitCode.BAD_REQUEST if found.broken else ExitCode.DONE)


def _fit(data: Path, cache: Path, out: Path, only: list[str]) -> int:
    from edgec.compiler.latency_fit import fit_tables, summary, write_predictors

    with Progress() as progress:
        outcome = fit_tables(data, cache, progress, only)
    for path in write_predictors(outcome, out):
        print(path)
    print("\n".join(summary(outcome)))
    return int(ExitCode.DONE)


def _adapt(name: str, measurements: Path) -> int:
    from edgec.compiler.latency_adapt import adapt

    with Progress() as progress:
        paths = adapt(name, measurements, progress)
    print("\n".join(map(str, paths)))
    return int(ExitCode.DONE)
