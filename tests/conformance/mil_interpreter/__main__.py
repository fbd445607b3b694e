"""Runs all the evidence for the MIL interpreter, or a sample of it.

    python -m tests.conformance.mil_interpreter [--per-test N] [--jobs N] [--resume] [--models FILE] [--table]

Runs Apple's op tests (all of them take about two hours on one core; `--per-test 9` runs at most nine cases of each),
then, with `--models`, coremltools' conversions of the models in FILE; stores the results in build/mil-interpreter and
writes docs/conformance/mil-interpreter.md. `--resume` continues an earlier run; `--table` only writes the document from
the stored results.
Exits with 1 if a test's result differs from `expected.toml`.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from tests.conformance.mil_interpreter import table

_RESULTS = Path("build/mil-interpreter")
_DOCUMENT = Path("docs/conformance/mil-interpreter.md")
_FOLDERS = ("iOS14", "iOS15", "iOS16", "iOS17", "iOS18")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-test", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    _RESULTS.mkdir(parents=True, exist_ok=True)
    if not options.table:
        _run_apple(options.per_test, options.jobs, options.resume)
    if options.models:
        command = [sys.executable, "-m", "tests.conformance.mil_interpreter.models"]
        subprocess.run([*command, "--models", str(options.models), "--out", str(_RESULTS / "models.jsonl")], check=True)
    records = [record for folder in _FOLDERS for record in table.read(_RESULTS / f"{folder}.jsonl")]
    verdict = table.judge(records, table.expectations())
    there = {folder: table.collected(_RESULTS / f"{folder}.jsonl") for folder in _FOLDERS}
    _DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    models = table.read(_RESULTS / "models.jsonl")
    text = table.document(records, verdict, models, there)
    if not models and _DOCUMENT.exists():
        text = table.keeping_models(text, _DOCUMENT.read_text())
    _DOCUMENT.write_text(text)
    print("\n".join(verdict.surprises) or f"as expected; see {_DOCUMENT}")
    return 1 if verdict.surprises else 0


def _run_apple(per_test: int, jobs: int, resume: bool) -> None:
    """One pytest process for each folder, `jobs` of them at a time."""
    spec = importlib.util.find_spec("coremltools")
    assert spec is not None
    assert spec.submodule_search_locations
    tests = Path(next(iter(spec.submodule_search_locations))) / "converters/mil/mil/ops/tests"
    running: list[subprocess.Popen[bytes]] = []
    for folder in _FOLDERS:
        results = _RESULTS / f"{folder}.jsonl"
        if not resume:
            results.unlink(missing_ok=True)
        if len(running) >= jobs:
            running.pop(0).wait()
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "-c", "/dev/null"]
        command += ["--rootdir", ".", "-p", "tests.conformance.mil_interpreter.plugin"]
        command += ["--mil-per-test", str(per_test), "--mil-results", str(results), str(tests / folder)]
        command += ["--mil-resume"] if resume else []
        running.append(subprocess.Popen(command))
    for process in running:
        process.wait()


if __name__ == "__main__":
    raise SystemExit(main())
