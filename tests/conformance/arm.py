"""The test models with LiteRT's Arm kernels, emulated, compared with the same files on this machine.

    python -m tests.conformance.arm

Creates the emulated environment if necessary (Debian packages and wheels), builds each model of `tests/models.py` and
the example for TFLite, and writes `docs/conformance/arm.md`. Exits with 1 if the two differ by more than the bound.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.frontend.request import SourceRequest
from edgec.measure.arrays import draw_arrays
from edgec.measure.inspection import inspect
from edgec.runners.open import open_runner

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    **{name: f"{ROOT}/tests/models.py:{name}" for name in ("mobilenet", "resnet", "bert", "unet", "activations")},
    "window_attention": f"{ROOT}/tests/models.py:window_attention",
    "example": f"{ROOT}/examples/mobilenet.py:model",
}
TARGETS = ("raspberry-pi", "android-fp16")
BOUND = 1e-5
"""Largest difference relative to the output's largest magnitude: sums are accumulated in another order."""


@dataclass(frozen=True)
class Row:
    """One file: its operators, and the difference between its two runs."""

    model: str
    target: str
    operators: int
    difference: float


def compare(name: str, source: str, folder: Path) -> list[Row]:
    """A row for each target."""
    options = BuildOptions(out=folder / name)
    rows = []
    for built in build(SourceRequest(source), TARGETS, options, lambda line: None).built:
        path = built.folder / built.manifest.artifact.path
        summary = inspect(path)
        inputs = draw_arrays(summary.inputs)
        with open_runner(path) as here, open_runner(path, on="qemu") as there:
            ours, theirs = here.run(inputs), there.run(inputs)
        worst = max(relative(ours[key], theirs[key]) for key in ours)
        rows.append(Row(name, built.target.name, sum(summary.ops.values()), worst))
    return rows


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference relative to the largest magnitude of `a`."""
    wide, other = a.astype(np.float64), b.astype(np.float64)
    return float(np.max(np.abs(wide - other), initial=0.0) / max(float(np.max(np.abs(wide), initial=0.0)), 1e-30))


def page(rows: list[Row]) -> str:
    """The table as Markdown."""
    lines = [
        "# TFLite files on Arm's kernels",
        "",
        "Each file by LiteRT for aarch64 under QEMU (NEON kernels of XNNPACK) beside LiteRT on x86-64: the largest",
        "difference relative to the output's largest magnitude. Made by `python -m tests.conformance.arm`.",
        "",
        "| model | target | operators | difference |",
        "|---|---|---:|---:|",
        *(f"| {r.model} | {r.target} | {r.operators} | {r.difference:.0e} |" for r in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Compare all files, write the page, and report those that differ too much."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for name, source in SOURCES.items() for row in compare(name, source, Path(folder))]
    text = page(rows)
    (ROOT / "docs" / "conformance" / "arm.md").write_text(text, encoding="utf-8")
    print(text)
    wrong = [row for row in rows if not row.difference <= BOUND]
    print(f"{len(rows) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
