"""The command line: parse, call the driver, render. Heavy imports wait until a command runs."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from edgec import __version__
from edgec.cli.artifacts import check_command, diff_command
from edgec.cli.bench import bench_command
from edgec.cli.build import build_command
from edgec.cli.completion import complete_bash, is_bash
from edgec.cli.devices import devices_command
from edgec.cli.evaluate import evaluate_command
from edgec.cli.inspect import inspect_command
from edgec.cli.lint import lint_command
from edgec.cli.predict import predict_command
from edgec.cli.run import INTERRUPTED, usage_error
from edgec.cli.run_artifact import run_command
from edgec.cli.show import doctor_command, explain_command, rules_command, targets_command
from edgec.diag.suggest import suggest
from edgec.spec.process import own_process

app = typer.Typer(
    name="edgec",
    help="Compile a PyTorch or ONNX model for phones and boards, and verify each artifact by running it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_SHORT = {
    "build": "Build a source for targets, run each artifact and compare it.",
    "check": "Compare an artifact with its manifest, source and budgets.",
    "run": "Run an artifact on this machine and show its outputs.",
    "predict": "Predict the latency of a source on a device.",
    "inspect": "Show what a file or source holds.",
    "lint": "Report what a device would refuse or run slowly.",
    "evaluate": "Measure task accuracy on labelled data.",
    "explain": "Explain a code, or show a page.",
    "devices": "List device profiles, show some, or fit predictors.",
    "rules": "List the rewrite rules, or show some with their examples.",
    "doctor": "List what is installed, and what is missing for what.",
}
"""In the list of commands, where a line has room for these words at 80 columns; the others' first sentence fits."""

_COMMANDS: dict[str, Callable[..., None]] = {
    "build": build_command,
    "check": check_command,
    "run": run_command,
    "bench": bench_command,
    "predict": predict_command,
    "inspect": inspect_command,
    "diff": diff_command,
    "lint": lint_command,
    "evaluate": evaluate_command,
    "targets": targets_command,
    "devices": devices_command,
    "rules": rules_command,
    "explain": explain_command,
    "doctor": doctor_command,
}
for _name, _command in _COMMANDS.items():
    app.command(_name, short_help=_SHORT.get(_name))(_command)


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


def _run() -> int:
    """The exit code of what the command line asks for."""
    try:
        return int(app(standalone_mode=False, prog_name="edgec") or 0)
    except typer.Abort:
        return INTERRUPTED
    except Exception as unclear:
        words = getattr(unclear, "format_message", None)  # the parser's own errors; typer keeps their class to itself
        if words is None:
            raise
        name = getattr(getattr(unclear, "ctx", None), "info_name", "")
        command = f"edgec {name}" if name in _COMMANDS else "edgec"
        text = _sentence(words())
        near = getattr(unclear, "possibilities", None) or ()
        if text.startswith("there is no command") and (nearest := suggest(text.split("`")[1], _COMMANDS)):
            near = [nearest]
        return usage_error(text, command, near, as_document="--json" in sys.argv)


def _sentence(text: str) -> str:
    """The parser's words as ours: one line without a capital in front and a full stop behind, names in backticks."""
    text = text.split("\n")[0].rstrip(".").replace("'", "`")
    text = re.sub(r"[Nn]o such (option|command):? `?(-*[\w-]+)`?", r"there is no \1 `\2`", text)
    text = re.sub(r"\.? \(Possible options:.*|\.?\s*Did you mean.*", "", text)
    return text[:1].lower() + text[1:]


_STACK_SLOTS = 1 << 17
"""Stack entries, of 8 bytes, of `_in_one_chunk`'s frame: the chunk that holds it has as much room again."""


def _in_one_chunk(function: Callable[[], int]) -> int:
    """Call the function with all frames below it in one chunk of memory.

    CPython keeps frames in chunks of 16 KiB (`DATA_STACK_CHUNK_SIZE` of pystate.c), each mapped when a call crosses the
    end of the one before and unmapped when it returns: up to 46,000 times in a build, a fifteenth of its time. A chunk
    is as large as a frame needs, rounded up to a power of two, and this frame claims a large stack that it never uses.
    """
    return function()


_in_one_chunk.__code__ = _in_one_chunk.__code__.replace(co_stacksize=_STACK_SLOTS)


def main() -> None:
    """The console script."""
    own_process()
    for name, value in _THREADS.items():
        os.environ.setdefault(name, value)
    gc.set_threshold(*_THRESHOLDS)
    try:
        sys.exit(complete_bash(_run) if is_bash() else _in_one_chunk(_run))
    finally:
        gc.freeze()  # otherwise the interpreter traverses all of torch's objects several times at exit
