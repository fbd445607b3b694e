"""ONNX's backend tests on one engine, checked against its committed expectations.

    python -m tests.conformance.onnx_nodes --engine tflite [--jobs 2] [--only PATTERN] [--share N] [--update] [--show]

PATTERN is a shell pattern over case or operator names; `--share N` takes the same 1/N of all cases each time.
`--update` writes the results into expectations/<engine>.txt and docs/conformance/<engine>.md; `--show CASE` prints a
case's model instead. Exits with 1 if a result differs from the expectation.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import sys
import time
from collections import Counter

from tests.conformance.onnx_nodes import document, expectations
from tests.conformance.onnx_nodes.cases import load_cases, one_in
from tests.conformance.onnx_nodes.engine import PASSED, REFUSED, Result
from tests.conformance.onnx_nodes.engines.backend import as_text
from tests.conformance.onnx_nodes.engines.table import ENGINES
from tests.conformance.onnx_nodes.pool import run_cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=sorted(ENGINES), required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="*")
    parser.add_argument("--share", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--show", metavar="CASE")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if options.show:
        print(as_text(load_cases()[options.show].model))
        return 0
    start = time.monotonic()
    names = _chosen(options.only, options.share)
    results = run_cases(options.engine, names, options.jobs, options.timeout, _print_failure)
    print(f"{len(results)} cases in {time.monotonic() - start:.0f} s: {dict(Counter(r.outcome for r in results))}")
    table = expectations.read(options.engine)
    if options.update:
        table = expectations.update(table, results)
        expectations.write(options.engine, table)
        text = document.document(options.engine, ENGINES[options.engine].intro, load_cases(), table)
        document.path_of(options.engine).write_text(text, encoding="utf-8")
        return 0
    surprises = expectations.surprises(table, results)
    print("\n".join(surprises) or "as expected")
    return 1 if surprises else 0


def _chosen(pattern: str, share: int) -> list[str]:
    cases = load_cases()
    chosen = [n for n in one_in(share) if fnmatch.fnmatch(n, pattern) or fnmatch.fnmatch(cases[n].op, pattern)]
    if not chosen:
        raise SystemExit(f"no case matches {pattern!r}")
    return chosen


def _print_failure(result: Result) -> None:
    """Print wrong results and crashes immediately, so that a long run can be watched."""
    if result.outcome not in (PASSED, REFUSED):
        print(f"{result.outcome:8} {result.case} {result.bound}: {result.detail}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
