"""What a build wrote, for people: a table where the terminal is wide enough, else a few lines an artifact."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from edgec.cli.columns import filled
from edgec.cli.terminal import columns_of, has_colour

if TYPE_CHECKING:
    from edgec.artifact.manifest import Accuracy, Latency
    from edgec.compiler.build import Built

_HEADINGS = ("target", "artifact", "size", "accuracy", "checked by", "latency (predicted)")
_SIZE = _HEADINGS.index("size")
_GAP = 2


def print_artifacts(built: Sequence[Built]) -> None:
    """Print them, and what their accuracy does not show."""
    width, colour = columns_of(sys.stdout), has_colour(sys.stdout)
    for line in lines(list(_rows(built)), width):
        print(f"\x1b[1m{line}\x1b[0m" if colour and line.startswith("target  ") else line)
    for note in dict.fromkeys(b.manifest.accuracy.note for b in built if b.manifest.accuracy.note):
        print("\n".join(filled(f"note: {note}", width)))


def lines(rows: Sequence[tuple[str, ...]], width: int | None) -> list[str]:
    """The table, or where it is wider than the terminal (None: there is none) a block for each row."""
    widths = [max(len(row[i]) for row in (_HEADINGS, *rows)) for i in range(len(_HEADINGS))]
    if width is None or sum(widths) + _GAP * (len(widths) - 1) <= width:
        return [_line(row, widths) for row in (_HEADINGS, *rows)]
    found: list[str] = []
    for target, path, size, accuracy, runner, latency in rows:
        found += [f"{target}  {path}", *filled(f"{size}, {accuracy} by {runner}", width, "  ")]
        found += filled(f"{latency} (predicted)", width, "  ") if latency else []
    return found


def _line(row: tuple[str, ...], widths: Sequence[int]) -> str:
    cells = [
        f"{cell:>{w}}" if i == _SIZE else f"{cell:{w}}" for i, (cell, w) in enumerate(zip(row, widths, strict=True))
    ]
    return (" " * _GAP).join(cells).rstrip()


def _rows(built: Sequence[Built]) -> Iterator[tuple[str, ...]]:
    for b in built:
        m = b.manifest
        path = str(b.folder / m.artifact.path)
        size, runner = _size(m.artifact.bytes), m.accuracy.runner
        if not m.functions:
            yield m.target, path, size, _accuracy(m.accuracy), runner, _latency(m.latency)
        for f in m.functions:
            yield m.target, f"{path} ({f.name})", size, _accuracy(f.accuracy), runner, _latency(f.latency)


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _accuracy(a: Accuracy) -> str:
    worst = f"rel {a.max_rel:.1e}" if a.max_rel is not None else ""
    psnr = f", {a.psnr_db:.0f} dB" if a.psnr_db is not None and a.psnr_db < 1e6 else ""
    return f"{a.status} ({worst}{psnr})"


def _latency(found: tuple[Latency, ...]) -> str:
    parts = [f"{p.p50_ms:.2f} ms ({p.low_ms:.2f} to {p.high_ms:.2f}) {p.device}" for p in found]
    return "; ".join(parts) or "no device"
