"""Models on real runtimes of several releases, beside the same files on the newest one.

    python -m tests.conformance.runtimes [SOURCE …] [--settings KEY=VALUE]… [--registered]

Makes an environment for each runtime where there is none yet, builds each model, runs it everywhere and writes
`docs/conformance/runtimes.md` (for the models of this repository). Exits 1 where a runtime that a file promises
(`min_runtime_version`) refuses it, or two runtimes differ by more than the bound. `--registered` measures instead which
version of each builtin the runtimes have.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.frontend.source import SourceRequest
from edgec.ledger.tflite.runtimes import as_numbers
from edgec.measure.arrays import draw_arrays
from edgec.measure.inspection import inspect
from edgec.runners.litert import LiteRTRunner
from tests.conformance.arm import ROOT, SOURCES, relative
from tests.conformance.runtimes.environment import RUNTIMES, Runtime, interpreter
from tests.conformance.runtimes.registered import FILE, WORKER, measure
from tests.conformance.runtimes.tasks import VERSION, classify

PAGE = ROOT / "docs/conformance/runtimes.md"
BOUND = 1e-4
"""Largest difference relative to the output's largest magnitude: kernels add up in other orders."""


@dataclass(frozen=True)
class Built:
    """A file, the release that it promises, its inputs in order, and what the newest runtime makes of them."""

    model: str
    target: str
    path: Path
    promises: str
    inputs: Path
    expected: list[np.ndarray]


@dataclass(frozen=True)
class Row:
    """One file on one runtime: how far off, or what was said. `fails` where that breaks the file's promise."""

    built: Built
    runtime: Runtime
    said: str
    fails: bool


def made(name: str, source: str, target: str, settings: list[str], folder: Path) -> Built:
    """Build a source, and run it here."""
    report = build(SourceRequest(source), [target], BuildOptions(out=folder / name, settings=tuple(settings)), print)
    if not report.built:
        raise SystemExit(f"{name} on {target}: {'; '.join(d.message for d in report.errors)}")
    (found,) = report.built
    path = found.folder / found.manifest.artifact.path
    summary = inspect(path)
    arrays = draw_arrays(summary.inputs)
    with LiteRTRunner(path) as runner:
        details = runner._interpreter.get_input_details()
        named = {d["index"]: name for name, d in runner._inputs.items()}
        expected = list(runner.run(arrays).values())
    inputs = path.with_suffix(".npz")
    np.savez(inputs, *(arrays[named[d["index"]]] for d in details))
    return Built(name, target, path, summary.metadata["min_runtime_version"].rstrip("\0"), inputs, expected)


def tried(files: list[Built], runtime: Runtime, folder: Path) -> list[Row]:
    """Every file on one runtime."""
    jobs = [[str(f.path), str(f.inputs), str(folder / f"{i}.npz")] for i, f in enumerate(files)]
    asked, answers = folder / "jobs.json", folder / f"{runtime.name}.json"
    asked.write_text(json.dumps(jobs))
    command = [str(interpreter(runtime)), str(WORKER), str(asked), str(answers)]
    subprocess.run(command, check=True, capture_output=True)
    return [
        _row(f, runtime, said, job[2])
        for f, said, job in zip(files, json.loads(answers.read_text()), jobs, strict=True)
    ]


def _row(file: Built, runtime: Runtime, said: str, outputs: str) -> Row:
    promised = as_numbers(file.promises) <= as_numbers(runtime.release)
    if said != "ok":
        return Row(file, runtime, said, promised)
    with np.load(outputs) as found:
        got = [found[f"arr_{i}"] for i in range(len(file.expected))]
    worst = max(relative(a, b) for a, b in zip(file.expected, got, strict=True))
    return Row(file, runtime, f"{worst:.0e}", worst > BOUND)


def page(rows: list[Row]) -> str:
    """The table as Markdown."""
    names = [r.name for r in RUNTIMES]
    lines = [
        "# TFLite files on runtimes of several releases",
        "",
        "Each file on each runtime beside LiteRT 2.3: the largest difference relative to the output's largest",
        "magnitude. `promises` is the oldest release that the file names (`min_runtime_version`).",
        "Made by `make runtimes`.",
        "",
        f"| model | target | promises | {' | '.join(names)} |",
        "|---|---|---|" + "---:|" * len(names),
    ]
    files = list(dict.fromkeys(row.built.path for row in rows))
    for path in files:
        own = [row for row in rows if row.built.path == path]
        said = " | ".join(row.said for row in own)
        lines.append(f"| {own[0].built.model} | {own[0].built.target} | {own[0].built.promises} | {said} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Build, try, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--settings", action="append", default=[])
    parser.add_argument("--target", action="append")
    parser.add_argument("--registered", action="store_true")
    asked = parser.parse_args()
    if asked.registered:
        FILE.write_text(measure(), encoding="utf-8")
        return 0
    sources = {s.rpartition(":")[2]: s for s in asked.sources} or SOURCES
    with tempfile.TemporaryDirectory(prefix="edgec-runtimes-") as folder:
        scratch = Path(folder)
        targets = asked.target or ["android", "android-fp16"]
        files = [made(n, s, t, asked.settings, scratch) for n, s in sources.items() for t in targets]
        rows = [row for runtime in RUNTIMES for row in tried(files, runtime, scratch)]
    text = page(rows)
    print(text)
    off = 0.0
    if not asked.sources:
        off = mediapipe()
        said = f"MediaPipe {VERSION} classifies an image by a file's own metadata as LiteRT does: off by {off:.0e}."
        print(said)
        PAGE.write_text(f"{text}\n{said}\n", encoding="utf-8")
    failed = [row for row in rows if row.fails]
    for row in failed:
        print(f"FAILS: {row.built.model} for {row.built.target} on {row.runtime.name}: {row.said}", file=sys.stderr)
    return 1 if failed or off > BOUND else 0


def mediapipe() -> float:
    """How far MediaPipe's scores are from LiteRT's, at most."""
    with tempfile.TemporaryDirectory(prefix="edgec-tasks-") as folder:
        found, expected = classify(Path(folder))
    return max((abs(found.get(label, np.inf) - score) for label, score in expected.items()), default=np.inf)


if __name__ == "__main__":
    sys.exit(main())
