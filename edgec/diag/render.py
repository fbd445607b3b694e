"""Renders diagnostics as text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from edgec.diag.diagnostic import Diagnostic, Place, Severity

_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}
_PLACES = 3
"""The number of places shown for diagnostics with the same message."""


def render_text(diagnostic: Diagnostic, *, colour: bool = False, width: int | None = None) -> str:
    """In the style of rustc: the message, the place, notes, then help.

    Lines are wrapped at `width` columns; no wrapping if it is None.
    """
    return _block([diagnostic], colour, width)


def render_all(diagnostics: Sequence[Diagnostic], *, colour: bool = False, width: int | None = None) -> str:
    """Every diagnostic once, merging those that differ only in place, and the number of errors if several."""
    unique = list(dict.fromkeys(diagnostics))
    groups: dict[tuple[Any, ...], list[Diagnostic]] = {}
    for d in unique:
        groups.setdefault((d.code, d.severity, d.message, d.notes, d.help), []).append(d)
    blocks = [_block(group, colour, width) for group in groups.values()]
    errors = [d for d in unique if d.severity is Severity.ERROR]
    if len(errors) > 1:
        blocks.append(f"{len(errors)} errors; see `edgec explain {errors[0].code}`")
    return "\n\n".join(blocks)


def _block(group: Sequence[Diagnostic], colour: bool, width: int | None) -> str:
    """Diagnostics with the same message, merged."""
    diagnostic = group[0]
    head = f"{diagnostic.severity.value}[{diagnostic.code}]"
    times = f" ({len(group)} times)" if len(group) > 1 else ""
    lines = _wrapped(f"{head}: ", f"{diagnostic.message}{times}", "    ", width)
    if colour:
        lines[0] = lines[0].replace(head, f"\x1b[1;{_COLOURS[diagnostic.severity]}m{head}\x1b[0m", 1)
    lines += [f"  --> {place}" for place in _shown([d.place for d in group])]
    lines += [line for note in diagnostic.notes for line in _wrapped("   = ", note, "     ", width)]
    lines += [line for text in diagnostic.help for line in _wrapped("   = help: ", text, "     ", width)]
    return "\n".join(lines)


def _shown(places: Sequence[Place | None]) -> list[str]:
    known = list(dict.fromkeys(str(place) for place in places if place is not None and str(place)))
    more = len(known) - _PLACES
    return [*known[:_PLACES], *([f"and {more} more places"] if more > 0 else [])]


def _wrapped(head: str, text: str, indent: str, width: int | None) -> list[str]:
    """`head` and the text in lines; a word longer than a line is not split."""
    if width is None:
        return [head + text]
    wrapper = textwrap.TextWrapper(width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return wrapper.wrap(head + text) or [head]


def as_json(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Plain lists and dictionaries for `json.dumps`."""
    return [{**asdict(d), "severity": d.severity.value} for d in diagnostics]
