"""Lists for people: columns as wide as they have to be, the last one wrapped between words."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

_GAP = 2
_LEAST = 24
"""Columns that the last one gets at least; on narrower terminals it stands below the others."""


def filled(text: str, width: int | None, indent: str = "") -> list[str]:
    """The text in lines of at most `width` characters, as far as single words allow; None for one line."""
    if width is None:
        return [indent + text]
    wrapper = textwrap.TextWrapper(
        width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.wrap(text)


def columns(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """The rows as lines of at most `width` characters, as far as single words allow; None for one line a row."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    indent = sum(widths) + _GAP * len(widths)
    width = width or indent + max(len(row[-1]) for row in rows)
    below = width - indent < _LEAST
    if indent > width:
        return [
            line for first, *rest in rows for line in (first, *filled(", ".join(filter(None, rest)), width, "    "))
        ]
    lines: list[str] = []
    for *cells, last in rows:
        head = "".join(f"{cell:{w + _GAP}}" for cell, w in zip(cells, widths, strict=True))
        rest = textwrap.wrap(
            last, max(width - (4 if below else indent), 8), break_long_words=False, break_on_hyphens=False
        )
        if below:
            lines += [head.rstrip(), *(f"    {line}" for line in rest)]
        else:
            lines += [(head + (rest[0] if rest else "")).rstrip(), *(" " * indent + line for line in rest[1:])]
    return lines
