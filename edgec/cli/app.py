"""The command line: parse, call the driver, render. Heavy imports wait until a command runs."""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated

import typer

from edgec import __version__
from edgec.cli.artifacts import bench_command, check_command, diff_command, inspect_command, run_command
from edgec.cli.build import build_command
from edgec.cli.lint import lint_command
from edgec.cli.predict import predict_command
from edgec.cli.show import devices_command, doctor_command, explain_command, rules_command, targets_command
from edgec.spec.process import own_process

app = typer.Typer(
    name="edgec",
    help="Compile a PyTorch or ONNX model for phones and boards, and verify each artifact by running it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("build")(build_command)
app.command("check")(check_command)
app.command("run")(run_command)
app.command("bench")(bench_command)
app.command("predict")(predict_command)
app.command("inspect")(inspect_command)
app.command("diff")(diff_command)
app.command("lint")(lint_command)
app.command("targets")(targets_command)
app.command("devices")(devices_command)
app.command("rules")(rules_command)
app.command("explain")(explain_command)
app.command("doctor")(doctor_command)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"edgec {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Compile a PyTorch or ONNX model for phones and boards, and verify each artifact by running it."""


_THRESHOLDS = (20_000, 50, 100)
"""Thresholds of the garbage collector. An export creates millions of objects and keeps nearly all of them: with the
default of (700, 10, 10), garbage collection takes a tenth of a build.
"""


_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
"""torch's threads sleep while they wait. numpy's threads have no such setting and are disabled: while waiting, they
took the cores from ONNX Runtime's, for two thirds of ConvNeXt's build. The libraries read these variables on load.
"""


def main() -> None:
    """The console script."""
    own_process()
    for name, value in _THREADS.items():
        os.environ.setdefault(name, value)
    gc.set_threshold(*_THRESHOLDS)
    try:
        sys.exit(app())
    finally:
        gc.freeze()  # otherwise the interpreter traverses all of torch's objects several times at exit
