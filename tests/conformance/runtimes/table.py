"""Runs every file on every runtime and compares it with the same file on the newest one."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgec.ledger.tflite.runtimes import as_numbers
from tests.conformance.arm import relative
from tests.conformance.runtimes.environment import RUNTIMES, TENSORFLOW, Runtime, interpreter
from tests.conformance.runtimes.files import File
from tests.conformance.runtimes.registered import WORKER

TRIED = (*RUNTIMES, TENSORFLOW)
BOUND = 1e-4
"""Largest difference relative to the output's largest magnitude: kernels sum in different orders."""


@dataclass(frozen=True)
class Row:
    """One file on one runtime: the difference, or the error. `fails` if that violates what the file declares."""

    file: File
    runtime: Runtime
    said: str
    agrees: bool

    @property
    def fails(self) -> bool:
        """Whether a runtime that the file supports fails to run it, or another one computes something else."""
        is_promised = as_numbers(self.file.promises) <= as_numbers(self.runtime.release)
        return not self.agrees and (is_promised or self.said[:1].isdigit())


def tried(files: Sequence[File], runtime: Runtime, folder: Path) -> list[Row]:
    """Run all files on one runtime."""
    jobs = [[str(f.path), str(f.inputs), str(folder / f"{i}.npz")] for i, f in enumerate(files)]
    asked, answers = folder / "jobs.json", folder / f"{runtime.name}.json"
    asked.write_text(json.dumps(jobs))
    command = [str(interpreter(runtime)), "-I", str(WORKER), str(asked), str(answers)]
    subprocess.run(command, check=True, capture_output=True)
    told = json.loads(answers.read_text())
    return [_row(f, runtime, said, job[2]) for f, said, job in zip(files, told, jobs, strict=True)]


def _row(file: File, runtime: Runtime, said: str, outputs: str) -> Row:
    if said != "ok":
        return Row(file, runtime, said, agrees=False)
    with np.load(outputs) as got, np.load(file.expected) as expected:
        pairs = [(expected[name], got[name]) for name in expected.files]
    worst = max(relative(a, b) for a, b in pairs)
    Path(outputs).unlink()
    return Row(file, runtime, f"{worst:.0e}", worst <= BOUND)


def page(rows: Sequence[Row]) -> str:
    """The table as Markdown."""
    names = [r.name for r in TRIED]
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
    files = list(dict.fromkeys(row.file.path for row in rows))
    for path in files:
        own = [row for row in rows if row.file.path == path]
        said = " | ".join(row.said for row in own)
        lines.append(f"| {own[0].file.model} | {own[0].file.target} | {own[0].file.promises} | {said} |")
    return "\n".join(lines) + "\n"


def counted(rows: Sequence[Row]) -> list[str]:
    """The number of files of each target that agree on each runtime, one line a target."""
    keys = Counter((row.file.target, row.runtime.name) for row in rows)
    agreed = Counter((row.file.target, row.runtime.name) for row in rows if row.agrees)
    return [f"{target} on {runtime}: {agreed[target, runtime]} of {n}" for (target, runtime), n in keys.items()]
