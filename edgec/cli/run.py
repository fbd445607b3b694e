"""Common to all commands: diagnostics on stderr, exit codes, the crash folder."""

from __future__ import annotations

import json
import os
import platform
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgec import __version__
from edgec.diag import Diagnostic, EdgecError, ExitCode, Interrupted
from edgec.diag.render import as_json, render_all

INTERRUPTED = 130
"""128 + SIGINT: what a shell reports for a command ended by Ctrl-C."""


def show(diagnostics: list[Diagnostic] | tuple[Diagnostic, ...]) -> None:
    """Print diagnostics on stderr, in colour on a terminal."""
    if diagnostics:
        colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        print(render_all(diagnostics, colour=colour), file=sys.stderr)


def print_json(document: dict[str, Any]) -> None:
    """The one document that `--json` puts on stdout."""
    print(json.dumps(document, indent=1))


def guarded(command: Callable[[], int], *, as_document: bool = False) -> int:
    """Run a command's body: `EdgecError` becomes diagnostics and its exit code, anything else a crash folder."""
    try:
        return command()
    except EdgecError as failure:
        show(failure.diagnostics)
        if as_document:
            print_json({"diagnostics": as_json(failure.diagnostics)})
        return int(failure.exit_code)
    except KeyboardInterrupt as stopped:
        written = stopped.written if isinstance(stopped, Interrupted) else ()
        told = f"written before: {', '.join(written)}" if written else "nothing was written"
        print(f"interrupted; {told}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.DONE)
    except Exception as bug:  # the last resort: any exception caught here is a defect of edgec
        return _crashed(bug)


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
