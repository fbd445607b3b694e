"""Diagnostics as plain data, and the exception that carries them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from edgec.diag.codes import CODES, ExitCode


class Severity(Enum):
    """The severity of a diagnostic. Only an error stops a build."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Place:
    """A source location.

    `file` and `line` are the user's own (Python, TOML or model file); `module` is the dotted path of the
    `nn.Module` (`features.0.conv`); `node` is the name in the graph, for sources that have nothing better.
    """

    file: str | None = None
    line: int | None = None
    module: str | None = None
    node: str | None = None

    def __str__(self) -> str:
        where = self.file or (f"node `{self.node}`" if self.node else "")
        if self.file and self.line is not None:
            where = f"{self.file}:{self.line}"
        if self.module:
            where = f"{where}  in  {self.module}" if where else f"in  {self.module}"
        return where


@dataclass(frozen=True)
class Diagnostic:
    """One statement to the user: the message states the problem, only `help` proposes a fix.

    `code` is a key of `edgec.diag.codes.CODES`. The message is lower case without a full stop.
    """

    code: str
    message: str
    place: Place | None = None
    notes: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"unknown diagnostic code {self.code}")

    def __str__(self) -> str:
        """The diagnostic as the command line prints it."""
        place = [f"  --> {self.place}"] if self.place is not None and str(self.place) else []
        notes = [f"   = {note}" for note in self.notes] + [f"   = help: {text}" for text in self.help]
        return "\n".join((f"{self.severity.value}[{self.code}]: {self.message}", *place, *notes))


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during work of several parts, some of which are finished: `written` lists their folders."""

    def __init__(self, written: Sequence[str]) -> None:
        self.written = tuple(written)
        super().__init__()


class EdgecError(Exception):
    """One or more errors that end the request, without duplicates. `str` contains all details.

    Any other exception that escapes is a bug in edgec (exit code 101).
    """

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        given = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        told = {(d.code, d.message, str(d.place), d.notes, d.help): d for d in given}
        self.diagnostics: tuple[Diagnostic, ...] = tuple(told.values())
        super().__init__("\n\n".join(map(str, self.diagnostics)))

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the first error."""
        return CODES[self.diagnostics[0].code].exit_code


def error(
    code: str, message: str, *, place: Place | None = None, notes: Iterable[str] = (), help: Iterable[str] = ()
) -> EdgecError:
    """An `EdgecError` with a single diagnostic: `raise error("E0101", "…", help=["…"])`."""
    return EdgecError(Diagnostic(code, message, place, tuple(notes), tuple(help)))


def warning(
    code: str, message: str, *, place: Place | None = None, notes: Iterable[str] = (), help: Iterable[str] = ()
) -> Diagnostic:
    """A diagnostic that does not stop the build."""
    return Diagnostic(code, message, place, tuple(notes), tuple(help), Severity.WARNING)
