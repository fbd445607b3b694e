"""PyTorch's operator database through the frontend, checked against the committed expectations.

    python -m tests.conformance.torch_ops [--jobs 2] [--only PATTERN]... [--update]

Every operator that supports float32 is called on up to three of its own sample inputs, exported, canonicalized and
compared with eager PyTorch to 1e-5. `--update` writes the results into expectations/torch-ops.txt, and all of
docs/conformance/torch-ops.md.
"""

from __future__ import annotations

import argparse
import fnmatch
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.onnx_nodes import expectations
from tests.conformance.onnx_nodes.engine import CRASHED, PASSED, REFUSED, WRONG, Result
from tests.conformance.torch_ops.cases import names, operator_of, present

_CASES_PER_PROCESS = 60
_TIMEOUT = 120.0
_TABLE = "torch-ops"
_DOCUMENT = Path("docs/conformance/torch-ops.md")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", action="append", help="an operator's name; may be repeated and hold wildcards")
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    results = []
    for result in _results(_chosen(options.only or ["*"]), options.jobs):
        results.append(result)
        if result.outcome in (WRONG, CRASHED):
            print(f"{result.outcome:8} {result.case}: {result.detail}", file=sys.stderr, flush=True)
    print(dict(Counter(r.outcome for r in results)))
    results = [r for r in results if r.outcome != "absent"]
    table = expectations.read(_TABLE)
    if options.update:
        table = expectations.update(table, results)
        expectations.write(_TABLE, table)
        _DOCUMENT.write_text(_document(table, present()), encoding="utf-8")
        return 0
    surprises = expectations.surprises(table, results)
    print("\n".join(surprises) or "as expected")
    return 1 if surprises else 0


def _chosen(patterns: list[str]) -> list[str]:
    found = [n for n in names() if any(fnmatch.fnmatch(operator_of(n), p) for p in patterns)]
    if not found:
        raise SystemExit(f"no case matches {patterns}")
    return found


def _results(names: list[str], jobs: int) -> Iterator[Result]:
    """Each case's result; a case that times out or ends its process counts as a crash."""
    from tests.conformance.torch_ops.run import run

    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, maxtasksperchild=_CASES_PER_PROCESS) as pool:
        waiting = [(name, pool.apply_async(run, (name,))) for name in names]
        for name, one in waiting:
            try:
                yield one.get(_TIMEOUT)
            except multiprocessing.TimeoutError:
                yield Result(name, CRASHED, detail=f"no answer in {_TIMEOUT:.0f} s")


def _document(table: dict[str, expectations.Expected], cases: list[str]) -> str:
    """The page for a table and all existing cases."""
    rows = {case: table.get(case, expectations.PLAIN_PASS) for case in cases}
    counts = Counter(e.outcome for e in rows.values())
    labels = Counter(e.mark for e in rows.values() if e.outcome == REFUSED)
    operators = {operator_of(case) for case in rows}
    partial = {operator_of(case) for case, e in rows.items() if e.outcome != PASSED}
    lines = [
        "# PyTorch's operator database",
        "",
        "Written by `python -m tests.conformance.torch_ops --update`; do not edit.",
        "",
        "Every operator of `torch.testing`'s database that computes in float32, on up to three of its own samples:",
        "exported, canonicalized, run, and compared with eager PyTorch to 1e-5 of the largest magnitude.",
        "",
        f"{len(operators)} operators with their variants, of which {len(operators - partial)} pass on every sample.",
        "",
        "| samples | passed | refused | wrong | crashed |",
        "|---:|---:|---:|---:|---:|",
        f"| {len(rows)} | {counts[PASSED]} | {counts[REFUSED]} | {counts[WRONG]} | {counts[CRASHED]} |",
        "",
        "`torch-export` means that torch's own exporter or its translation to ONNX does not take the call. A wrong",
        "graph is one that the check against eager PyTorch catches: such a build ends with E0205 and no artifact.",
        "",
        "| refused by | samples |",
        "|---|---:|",
        *(f"| `{label}` | {n} |" for label, n in sorted(labels.items(), key=lambda i: (-i[1], i[0]))),
        "",
        *_listed(rows, WRONG),
        *_listed(rows, CRASHED),
        "## Operators that do not pass on every sample",
        "",
        ", ".join(f"`{o}`" for o in sorted(partial)),
    ]
    return "\n".join(lines) + "\n"


def _listed(rows: dict[str, expectations.Expected], outcome: str) -> list[str]:
    found = [f"- `{case}`" for case, e in rows.items() if e.outcome == outcome]
    return [f"## {outcome.capitalize()}", "", *found, ""] if found else []


if __name__ == "__main__":
    raise SystemExit(main())
