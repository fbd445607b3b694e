"""Common to all commands: diagnostics on stderr, exit codes, the crash folder."""

from __future__ import annotations

import os
import platform
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from edgec import __version__
from edgec.cli.document import document_alone, print_json
from edgec.cli.environment import environment_failure
from edgec.cli.terminal import columns_of, has_colour
from edgec.cli.warnings_shown import warnings_of_user
from edgec.diag import Diagnostic, EdgecError, ExitCode, Interrupted
from edgec.diag.render import as_json, render_all

INTERRUPTED = 130
"""128 + SIGINT: what a shell reports for a command ended by Ctrl-C."""


def show(diagnostics: list[Diagnostic] | tuple[Diagnostic, ...]) -> None:
    """Print diagnostics on stderr, in colour on a terminal."""
    if diagnostics:
        text = render_all(diagnostics, colour=has_colour(sys.stderr), width=columns_of(sys.stderr))
        print(text, file=sys.stderr)


def guarded(command: Callable[[], int], *, as_document: bool = False) -> int:
    """Run a command's body: `EdgecError` becomes diagnostics and its exit code, anything else a crash folder."""
    alone = document_alone() if as_document else nullcontext()
    with alone, warnings_of_user():
        return _guarded(command, as_document=as_document)


def usage_error(message: str, command: str, near: Sequence[str], *, as_document: bool) -> int:
    """What cannot be parsed, as a diagnostic (E0101)."""
    help = [f"did you mean {' or '.join(f'`{name}`' for name in near)}?"] if near else []
    found = Diagnostic("E0101", message, None, (), (*help, f"`{command} --help` shows the usage"))

    def refuse() -> int:
        raise EdgecError(found)

    return guarded(refuse, as_document=as_document)


def _guarded(command: Callable[[], int], *, as_document: bool) -> int:
    try:
        return command()
    except EdgecError as failure:
        return _told(failure, as_document=as_document)
    except KeyboardInterrupt as stopped:
        written = stopped.written if isinstance(stopped, Interrupted) else ()
        told = f"written before: {', '.join(written)}" if written else "nothing was written"
        print(f"interrupted; {told}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.DONE)
    except Exception as bug:  # the last resort: what is not the machine's failure is a defect of edgec
        machine = environment_failure(bug)
        if machine is None:
            return _crashed(bug)
        return _told(machine, as_document=as_document)


def _told(failure: EdgecError, *, as_document: bool) -> int:
    show(failure.diagnostics)
    if as_document:
        print_json({"diagnostics": as_json(failure.diagnostics)})
    return int(failure.exit_code)


def _crashed(bug: Exception) -> int:
    folder = Path(f"edgec-crash-{os.getpid()}")
    report = [
        f"edgec {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: {' '.join(sys.argv)}",
        f"folder: {Path.cwd()}",
        "",
        "".join(traceback.format_exception(bug)),
    ]
    where = f"the details are in {folder}/"
    try:
        folder.mkdir(exist_ok=True)
        (folder / "report.txt").write_text("\n".join(report), encoding="utf-8")
        (folder / "reproduce.sh").write_text(f"cd '{Path.cwd()}' && {' '.join(sys.argv)}\n", encoding="utf-8")
    except OSError:
        where = "the details follow\n" + "\n".join(report)
    print(f"this is a bug in edgec: {type(bug).__name__}: {bug}\n{where}", file=sys.stderr)
    return int(ExitCode.BUG)
