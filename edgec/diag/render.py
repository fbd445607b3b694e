"""Diagnostics for people (text) and for programs (JSON)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from edgec.diag.diagnostic import Diagnostic, Severity

_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}


def render_text(diagnostic: Diagnostic, *, colour: bool = False) -> str:
    """rustc's form: the statement, the place, notes, then what to do."""
    head = f"{diagnostic.severity.value}[{diagnostic.code}]"
    if colour:
        head = f"\x1b[1;{_COLOURS[diagnostic.severity]}m{head}\x1b[0m"
    lines = [f"{head}: {diagnostic.message}"]
    if diagnostic.place is not None and str(diagnostic.place):
        lines.append(f"  --> {diagnostic.place}")
    lines += [f"   = {note}" for note in diagnostic.notes]
    lines += [f"   = help: {text}" for text in diagnostic.help]
    return "\n".join(lines)


def render_all(diagnostics: Sequence[Diagnostic], *, colour: bool = False) -> str:
    """Every diagnostic once, and a count where there are several errors."""
    unique = list(dict.fromkeys(diagnostics))
    blocks = [render_text(d, colour=colour) for d in unique]
    errors = [d for d in unique if d.severity is Severity.ERROR]
    if len(errors) > 1:
        blocks.append(f"{len(errors)} errors; see `edgec explain {errors[0].code}`")
    return "\n\n".join(blocks)


def as_json(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Plain lists and dictionaries, ready for `json.dumps`."""
    return [{**asdict(d), "severity": d.severity.value} for d in diagnostics]
