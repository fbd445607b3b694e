"""Expectations of cases that do not simply pass, one line for each; strict in both directions.

    refused   some-label        test_name
    passed    parameters        test_name      (passes once its parameters are bound)
    wrong     why-it-is-so      test_name

A case without a line passes as given.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.onnx_nodes.engine import PASSED, REFUSED, Result

_FOLDER = Path(__file__).parent / "expectations"


@dataclass(frozen=True)
class Expected:
    """`mark` is the label of a refusal, what was bound for a pass, or why a case is wrong or crashes."""

    outcome: str
    mark: str


PLAIN_PASS = Expected(PASSED, "")


def path_of(engine: str) -> Path:
    """The path of the committed file."""
    return _FOLDER / f"{engine}.txt"


def read(engine: str) -> dict[str, Expected]:
    """The table by case; empty for an engine without one."""
    path = path_of(engine)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {case: Expected(outcome, mark) for outcome, mark, case in rows}


def write(engine: str, table: dict[str, Expected]) -> None:
    """Write the table sorted by outcome, mark and case, which keeps diffs small."""
    rows = sorted((e.outcome, e.mark or "unexplained", case) for case, e in table.items() if e != PLAIN_PASS)
    text = "".join(f"{outcome:8} {mark:40} {case}\n" for outcome, mark, case in rows)
    path_of(engine).write_text(text, encoding="utf-8")


def update(old: dict[str, Expected], results: Iterable[Result]) -> dict[str, Expected]:
    """The table updated by new results; the reason of a case that is still wrong is kept."""
    table = dict(old)
    for result in results:
        before = old.get(result.case, PLAIN_PASS)
        found = as_expected(result)
        kept = result.outcome not in (PASSED, REFUSED) and before.outcome == result.outcome
        table[result.case] = before if kept else found
    return table


def as_expected(result: Result) -> Expected:
    """The expectation that matches this result."""
    mark = {PASSED: result.bound, REFUSED: result.label}.get(result.outcome, "")
    return Expected(result.outcome, mark)


def surprises(table: dict[str, Expected], results: Iterable[Result]) -> list[str]:
    """All results that differ from their line, in either direction."""
    found = []
    for result in results:
        before, now = table.get(result.case, PLAIN_PASS), as_expected(result)
        same = before.outcome == now.outcome and (before.mark == now.mark or now.outcome not in (PASSED, REFUSED))
        if not same:
            was, shown = f"{before.outcome} {before.mark}".strip(), f"{now.outcome} {now.mark}".strip()
            found.append(f"{result.case}: {shown}, expected {was}: {result.detail}".rstrip(": "))
    return found
