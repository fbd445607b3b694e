"""Seconds and memory from a canonical graph to a `.tflite` file.

    python -m benchmarks.tflite_compile FOLDER          each `.onnx` file of a folder, canonicalized first
    python -m benchmarks.tflite_compile --linearity     transformers of 12, 24 and 48 blocks, a process each

The time is that of legalization, lowering and assembly. Peak memory growth is measured over the memory before, which
includes the weights; its bound is 1.3 times the weights plus 300 MiB, less the weights.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import onnx

from benchmarks.coreml_emission import transformer
from edgec.backends.table import backend
from edgec.frontend.onnx.opset import to_working_opset
from edgec.ir.model import Model
from edgec.passes.canonicalize import canonicalize
from edgec.spec.target import load_target

TARGET = "android"


def emit(model: Model) -> float:
    """Seconds from the canonical graph to the written file."""
    chosen, target = backend("tflite"), load_target(TARGET)
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        program = chosen.lower(chosen.legalize(model, target).model, target)
        chosen.assemble(program, target, Path(folder) / "model.tflite")
        return time.monotonic() - start


def of_folder(folder: Path) -> None:
    """One line for each file, and the median."""
    found = []
    for path in sorted(folder.glob("*.onnx")):
        model = canonicalize(to_working_opset(onnx.load(path), path)).model
        nodes, seconds = len(model.graph), emit(model)
        found.append(seconds)
        print(f"{path.stem:32} {nodes:6} nodes {seconds:7.3f} s", flush=True)
    print(f"median {statistics.median(found):.3f} s over {len(found)} models, largest {max(found):.2f} s")


def measure(blocks: int, width: int) -> dict[str, float]:
    """Compile one transformer in this process."""
    emit(transformer(1, 64))  # excludes imports from the measurement
    model = transformer(blocks, width)
    weights = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value is not None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = emit(model)
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": seconds, "weights": weights / 2**20, "growth": growth / 1024}


def linearity(width: int) -> None:
    """Transformers of 12, 24 and 48 blocks, each in its own process."""
    print(f"{'blocks':>6} {'seconds':>8} {'a block':>8} {'weights MiB':>12} {'growth MiB':>11} {'bound MiB':>10}")
    for blocks in (12, 24, 48):
        command = [sys.executable, "-m", __spec__.name, "--one", str(blocks), "--width", str(width)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        found = json.loads(lines[-1])
        print(
            f"{blocks:6} {found['seconds']:8.2f} {found['seconds'] / blocks:8.3f} {found['weights']:12.0f} "
            f"{found['growth']:11.0f} {0.3 * found['weights'] + 300:10.0f}",
            flush=True,
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--linearity", action="store_true")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.width)))
    elif options.linearity:
        linearity(options.width)
    elif options.folder:
        of_folder(options.folder)
    else:
        parser.error("a folder or --linearity")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
