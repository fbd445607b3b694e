"""A package with more than 2 GiB of weights: emission, peak memory against the bound, and a run by the MIL interpreter.

    python -m benchmarks.coreml_large [--gib 2.4]

The model is a chain of 4096 x 8192 products in float32, with weights in a file beside the ONNX. Emission and run have a
process each. Emission is bounded by 1.5 times the weights plus 400 MiB. The interpreter maps the weight file: its
memory besides the pages of that file is bounded by 400 MiB, however large the file is. Needs twice the size on disk.
Exits with 1 if a bound or the numbers do not hold.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx_ir as ir

from benchmarks.large_model import LAYER, MODEL, expected, layers_of, make, sample
from edgec.backends.table import backend
from edgec.passes.canonicalize import canonicalize
from edgec.runners.mil import MilRunner
from edgec.spec.target import load_target

TOLERANCE = 1e-4
BEYOND_THE_FILE = 400
"""MiB that the interpreter may use besides the weight file's pages, for Python, numpy and copies of one layer."""

_FILE, _OUTPUT = "model.mlpackage", "output.npy"


def emit(folder: Path) -> None:
    """Write the package."""
    model = canonicalize(ir.load(folder / MODEL)).model
    chosen, target = backend("coreml"), load_target("iphone", ["numerics.compute=float32"])
    program = chosen.lower(chosen.legalize(model, target).model, target)
    chosen.assemble(program, target, folder / _FILE)


def run(folder: Path) -> None:
    """Run the package and write its output."""
    with MilRunner(folder / _FILE, "float32") as runner:
        (found,) = runner.run({"x": sample()}).values()
    np.save(folder / _OUTPUT, found)


def memory() -> dict[str, float]:
    """This process's peak memory, and its current anonymous memory, in MiB (Linux's /proc/self/status)."""
    lines = (line.split() for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    sizes = {words[0].rstrip(":"): float(words[1]) / 1024 for words in lines if words[-1] == "kB"}
    return {"peak": sizes["VmHWM"], "own": sizes["RssAnon"]}


STEPS = {"emit": emit, "run": run}


def in_process(step: str, folder: str) -> dict[str, float]:
    """Run one step in a separate process; returns its memory in MiB."""
    command = [sys.executable, "-m", __spec__.name, "--step", step, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, own = map(float, done.stdout.split()[-2:])
    return {"peak": peak, "own": own}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=2.4)
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step is not None:
        STEPS[options.step[0]](Path(options.step[1]))
        print(*memory().values())
        return 0
    layers = layers_of(options.gib)
    with tempfile.TemporaryDirectory() as name:
        folder, weights = Path(name), layers * LAYER / 2**20
        make(folder, layers)
        emitted, ran = in_process("emit", name), in_process("run", name)
        wanted, found = expected(folder, layers), np.load(folder / _OUTPUT)
        error = float(np.abs(found.astype(np.float64) - wanted).max() / np.abs(wanted).max())
        bound, beyond = 1.5 * weights + 400, ran["peak"] - weights
        print(f"weights {weights:.0f} MiB")
        print(f"peak memory of emission {emitted['peak']:.0f} MiB, bound {bound:.0f}")
        print(f"peak memory of the run {ran['peak']:.0f} MiB, {beyond:.0f} beside the file, bound {BEYOND_THE_FILE}")
        print(f"relative error {error:.1e}")
    return 0 if emitted["peak"] <= bound and beyond <= BEYOND_THE_FILE and error <= TOLERANCE else 1


if __name__ == "__main__":
    raise SystemExit(main())
