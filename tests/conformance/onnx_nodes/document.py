"""Writes docs/conformance/<engine>.md from the expectations: counts, by operator, and refusals by label."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from tests.conformance.onnx_nodes.cases import SUITES, Case
from tests.conformance.onnx_nodes.engine import CRASHED, PASSED, REFUSED, WRONG
from tests.conformance.onnx_nodes.expectations import PLAIN_PASS, Expected

_OUTCOMES = (PASSED, REFUSED, WRONG, CRASHED)


def path_of(engine: str) -> Path:
    """The path of the document, relative to the repository's root."""
    return Path("docs/conformance") / f"{engine}.md"


def document(engine: str, intro: str, cases: Mapping[str, Case], table: Mapping[str, Expected]) -> str:
    """The text, from the table of results by case; the command that fills the table fails on any difference."""
    found = {name: table.get(name, PLAIN_PASS) for name in cases}
    bound = sum(1 for e in found.values() if e.outcome == PASSED and e.mark)
    lines = [
        f"# ONNX's backend tests on `{engine}`",
        "",
        f"Written by `python -m tests.conformance.onnx_nodes --engine {engine} --update`; do not edit.",
        "",
        intro,
        "",
        *_suites(cases, found),
        "",
        f"{bound} of the passed cases have operator parameters or weights bound as constants (marked *bound* below).",
        "",
        *_labels(found),
        *_unexplained(found),
        "## By operator",
        "",
        *_operators(cases, found),
    ]
    return "\n".join(lines) + "\n"


def _suites(cases: Mapping[str, Case], found: Mapping[str, Expected]) -> list[str]:
    lines = ["| tests | run | " + " | ".join(_OUTCOMES) + " |", "|---|---:" + "|---:" * len(_OUTCOMES) + "|"]
    for suite in (*SUITES, "all"):
        counts = Counter(found[n].outcome for n, c in cases.items() if suite in (c.suite, "all"))
        cells = [suite, sum(counts.values()), *(counts[o] for o in _OUTCOMES)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def _labels(found: Mapping[str, Expected]) -> list[str]:
    counts = Counter(e.mark for e in found.values() if e.outcome == REFUSED)
    lines = ["## Refused, by label", "", "| label | cases |", "|---|---:|"]
    return [*lines, *(f"| `{label}` | {n} |" for label, n in sorted(counts.items(), key=lambda i: (-i[1], i[0]))), ""]


def _unexplained(found: Mapping[str, Expected]) -> list[str]:
    """Cases that are known to be wrong or to crash, each with its reason; no section if there are none."""
    rows = [(name, e) for name, e in found.items() if e.outcome in (WRONG, CRASHED)]
    if not rows:
        return []
    lines = ["## Wrong or crashed", "", "| case | outcome | why |", "|---|---|---|"]
    return [*lines, *(f"| `{name}` | {e.outcome} | {e.mark} |" for name, e in sorted(rows)), ""]


def _operators(cases: Mapping[str, Case], found: Mapping[str, Expected]) -> list[str]:
    by_op: dict[str, list[str]] = defaultdict(list)
    for name, case in cases.items():
        by_op[case.op].append(name)
    lines = ["| operator | run | passed | of them bound | refused | labels |", "|---|---:|---:|---:|---:|---|"]
    for op in sorted(by_op, key=str.lower):
        rows = [found[name] for name in by_op[op]]
        passed = [e for e in rows if e.outcome == PASSED]
        refused = [e for e in rows if e.outcome == REFUSED]
        labels = ", ".join(f"`{label}`" for label in sorted({e.mark for e in refused}))
        cells = [op, len(rows), len(passed), sum(1 for e in passed if e.mark), len(refused), labels]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines
