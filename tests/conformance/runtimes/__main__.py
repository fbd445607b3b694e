"""Models on runtimes of several releases, compared with the same files on the newest one.

    python -m tests.conformance.runtimes [SOURCE …] [--settings KEY=VALUE]… [--target NAME]…
    python -m tests.conformance.runtimes --built FOLDER

Creates an environment for each runtime if necessary, builds each model, runs it everywhere and writes
`docs/conformance/runtimes.md` (for the models of this repository). `--built` takes a folder of builds instead: its
TFLite files run on every runtime; coremltools' loader of saved programs reads its packages, ONNX's checker and the
oldest and newest ONNX Runtime the ONNX of its engines. Exits with 1 if a runtime that a file supports
(`min_runtime_version`) refuses it, two runtimes differ by more than the bound, or a reader refuses its format.
`--registered` measures instead the versions of each builtin in the runtimes, `--element-types` the types that the
newest one's kernels accept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.conformance.arm import ROOT, SOURCES
from tests.conformance.runtimes import element_types, registered
from tests.conformance.runtimes.files import File, artifacts, found, made
from tests.conformance.runtimes.loaders import by_coremltools, by_onnx, engines, report
from tests.conformance.runtimes.table import BOUND, TRIED, Row, counted, page, tried
from tests.conformance.runtimes.tasks import VERSION, classify

PAGE = ROOT / "docs/conformance/runtimes.md"
TARGETS = ("android", "android-fp16")


def main() -> int:
    """Build, run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--settings", action="append", default=[])
    parser.add_argument("--target", action="append")
    parser.add_argument("--built", type=Path)
    parser.add_argument("--registered", action="store_true")
    parser.add_argument("--element-types", action="store_true")
    asked = parser.parse_args()
    if asked.registered:
        registered.FILE.write_text(registered.measure(), encoding="utf-8")
        return 0
    if asked.element_types:
        element_types.FILE.write_text(element_types.measure(), encoding="utf-8")
        return 0
    with tempfile.TemporaryDirectory(prefix="edgec-runtimes-") as folder:
        if asked.built:
            return folder_of_builds(asked.built, Path(folder))
        sources = {s.rpartition(":")[2]: s for s in asked.sources} or SOURCES
        targets = asked.target or TARGETS
        files = [made(n, s, t, asked.settings, Path(folder)) for n, s in sources.items() for t in targets]
        text, failed = on_all(files, Path(folder))
    print(text)
    off = 0.0
    if not asked.sources:
        off = mediapipe()
        said = f"MediaPipe {VERSION} classifies an image by a file's own metadata as LiteRT does: off by {off:.0e}."
        print(said)
        PAGE.write_text(f"{text}\n{said}\n", encoding="utf-8")
    return 1 if failed or off > BOUND else 0


def folder_of_builds(builds: Path, scratch: Path) -> int:
    """Reads everything in a folder of builds with all readers of its format."""
    files = found(builds, scratch)
    failed = 0
    if files:
        text, failed = on_all(files, scratch)
        print(text)
    failed += report("coremltools' loader", [path for path, _ in artifacts(builds, "mlpackage")], by_coremltools)
    failed += report("ONNX's checker and runtimes", engines(builds), lambda path: by_onnx(path, scratch))
    return 1 if failed else 0


def on_all(files: Sequence[File], scratch: Path) -> tuple[str, int]:
    """The table, and the number of entries that fail, each of which is printed."""
    rows: list[Row] = [row for runtime in TRIED for row in tried(files, runtime, scratch)]
    failed = [row for row in rows if row.fails]
    for row in failed:
        print(f"FAILS: {row.file.model} for {row.file.target} on {row.runtime.name}: {row.said}", file=sys.stderr)
    return "\n".join([page(rows), *(f"- {line}" for line in counted(rows)), ""]), len(failed)


def mediapipe() -> float:
    """The largest difference between MediaPipe's scores and LiteRT's."""
    with tempfile.TemporaryDirectory(prefix="edgec-tasks-") as folder:
        there, expected = classify(Path(folder))
    return max((abs(there.get(label, np.inf) - score) for label, score in expected.items()), default=np.inf)


if __name__ == "__main__":
    sys.exit(main())
