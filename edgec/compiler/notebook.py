"""Results in notebooks: small HTML tables with all content escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from edgec.diag import Diagnostic


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a row of headings, if there are any."""
    lines = ["<table>"]
    if headings:
        lines.append(_row("th", headings))
    return "\n".join([*lines, *(_row("td", row) for row in rows), "</table>"])


def told(diagnostics: Iterable[Diagnostic]) -> str:
    """Diagnostics as preformatted text; empty if there are none."""
    text = "\n\n".join(map(str, diagnostics))
    return f"\n<pre>{escape(text)}</pre>" if text else ""


def _row(kind: str, cells: Sequence[object]) -> str:
    inner = "".join(f'<{kind} style="text-align: left">{escape(str(cell))}</{kind}>' for cell in cells)
    return f"<tr>{inner}</tr>"
