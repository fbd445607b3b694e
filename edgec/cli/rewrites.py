"""`edgec inspect --rules` as text: the rewrites that fire for a source, and those that nearly fire."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgec.compiler.rewrites import Rewrites

_PLACES = 3
"""How many locations are shown for a rule that does not fire for one reason."""


def lines_of(found: Rewrites) -> list[str]:
    """Two tables."""
    from edgec.compiler.catalogue import catalogue

    said = {name: entry.summary() for name, entry in catalogue().items()}
    rows = [[name, str(count), said.get(name, "")] for name, count in found.fired.items()]
    lines = aligned([["rule", "fired", "what it does"], *rows])
    if found.missed:
        rows = [[m.rule, str(len(m.places)), m.reason, _shortened(m.places)] for m in found.missed]
        lines += ["", *aligned([["nearly fired", "times", "why not", "at"], *rows])]
    return lines


def _shortened(places: tuple[str, ...]) -> str:
    more = len(places) - _PLACES
    return "; ".join(places[:_PLACES]) + (f" and {more} more" if more > 0 else "")


def aligned(rows: list[list[str]]) -> list[str]:
    """Rows of cells as lines with aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
