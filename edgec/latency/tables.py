"""Tables of measured latencies: CSV files with one measurement a row; all mistakes are reported with their lines."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgec.diag import Diagnostic, EdgecError, Place, error

Row = Mapping[str, str]


@dataclass(frozen=True)
class Network:
    """How to rebuild a network: library, constructor with arguments, input; `backbone` omits the classifier."""

    library: str
    constructor: str
    arguments: str
    input: str
    backbone: bool = False


@dataclass(frozen=True)
class Measured:
    """One row: milliseconds of a network on a device; device, runtime and precision are named as in the table."""

    network: Network
    device: str
    runtime: str
    precision: str
    ms: float
    source: str
    place: Place = field(compare=False)


_COMMON = ("device", "runtime", "precision", "latency_ms", "library", "constructor")
_FORMS = {"input": "chipset", "input_resolution": "source"}
"""The column of the input, and another column by which this form of table is recognized."""


def read_tables(folder: Path) -> list[Measured]:
    """The measurements in all tables of a folder. Tables without milliseconds are skipped.

    Raises `EdgecError` E0106 with the line of each missing column, invalid number and repeated row.
    """
    if not folder.is_dir():
        raise error("E0102", f"`{folder}` is not a folder", help=["give the folder that holds the tables (*.csv)"])
    problems: list[Diagnostic] = []
    found = [m for path in sorted(folder.glob("*.csv")) for m in _read(path, problems)]
    if problems:
        raise EdgecError(problems)
    if not found:
        raise error(
            "E0106", f"no table in `{folder}` has measurements", help=["`edgec explain latency` describes the tables"]
        )
    return found


def rows_of(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table with their lines. Raises `EdgecError` E0106 if it is unreadable."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            return [(reader.line_num, {k: v or "" for k, v in row.items() if k is not None}) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as failure:
        raise error("E0106", f"`{path}` cannot be read as a table", notes=[str(failure)]) from failure


def _read(path: Path, problems: list[Diagnostic]) -> Iterator[Measured]:
    rows = rows_of(path)
    columns = set(rows[0][1]) if rows else set()
    if "latency_ms" not in columns and not columns & set(_FORMS):
        return
    shape = next((column for column in _FORMS if column in columns), "input")
    missing = [column for column in (*_COMMON, shape) if column not in columns]
    if missing:
        problems.append(_problem(path, 1, f"the table lacks the columns {', '.join(missing)}"))
        return
    seen: dict[tuple[str, ...], int] = {}
    for line, row in rows:
        key = tuple(row.values())
        if key in seen:
            problems.append(_problem(path, line, f"the row repeats line {seen[key]}"))
        seen[key] = line
        try:
            ms = float(row["latency_ms"])
        except ValueError:
            ms = math.nan
        if not (math.isfinite(ms) and ms > 0):
            problems.append(_problem(path, line, f"`latency_ms` is `{row['latency_ms']}`, not milliseconds above 0"))
            continue
        yield _measured(row, shape, ms, path.stem, Place(str(path), line))


def _measured(row: Row, shape: str, ms: float, table: str, place: Place) -> Measured:
    backbone = "backbone" in row.get("note", "")
    network = Network(row["library"], row["constructor"], row.get("kwargs", ""), row[shape].split(" ")[0], backbone)
    unit = f" {row['compute_unit']}" if row.get("compute_unit") else ""
    source = row.get("source") or " ".join(filter(None, (table, row.get("release", ""))))
    return Measured(network, row["device"], row["runtime"] + unit, row["precision"], ms, source, place)


def _problem(path: Path, line: int, message: str) -> Diagnostic:
    return Diagnostic("E0106", message, Place(str(path), line))


def disagreeing(measured: Sequence[Measured], factor: float = 1.5) -> set[str]:
    """Sources whose rows differ by more than `factor` (median) from others' measurements of the same network, device
    and runtime, which indicates another toolchain, or another unit than stated.
    """
    by: dict[tuple[str, ...], dict[str, float]] = {}
    for m in measured:
        key = (m.network.constructor, m.network.arguments, m.network.input, m.device, m.precision)
        by.setdefault(key, {})[m.source] = m.ms
    ratios: dict[str, list[float]] = {}
    for rows in by.values():
        for source, ms in rows.items():
            apart = [abs(math.log(ms / other)) for s, other in rows.items() if s != source]
            if apart:
                ratios.setdefault(source, []).append(min(apart))
    medians = {source: (sorted(found)[len(found) // 2], len(found)) for source, found in ratios.items()}
    return {source for source, (middle, count) in medians.items() if count >= 4 and middle > math.log(factor)}
