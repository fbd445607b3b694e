"""A model larger than a flatbuffer's 2 GiB: emission, peak memory against the bound, and a comparison in LiteRT.

    python -m benchmarks.tflite_large [--gib 2.4] [--target raspberry-pi]

The model is a chain of 4096 x 8192 products in float32, with weights in a file beside the ONNX. It is emitted in a
separate process, whose memory is bounded by 1.3 times the weights plus 300 MiB. Needs twice the size on disk and in
memory. Exits with 1 if the bound or the numbers do not hold.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx_ir as ir

from benchmarks.large_model import LAYER, MODEL, expected, layers_of, make, sample
from edgec.backends.table import backend
from edgec.passes.canonicalize import canonicalize
from edgec.runners.litert import LiteRTRunner
from edgec.spec.target import load_target

TOLERANCE = 1e-4
_FILE = "model.tflite"


def emit(folder: Path, target_name: str) -> None:
    """Write the TFLite file and print this process's peak memory in MiB."""
    model = canonicalize(ir.load(folder / MODEL)).model
    chosen, target = backend("tflite"), load_target(target_name)
    program = chosen.lower(chosen.legalize(model, target).model, target)
    chosen.assemble(program, target, folder / _FILE)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def difference(folder: Path, layers: int) -> float:
    """LiteRT's largest error relative to numpy's largest output."""
    with LiteRTRunner(folder / _FILE) as runner:
        (found,) = runner.run({"x": sample()}).values()
    wanted = expected(folder, layers)
    return float(np.abs(found.astype(np.float64) - wanted).max() / np.abs(wanted).max())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=2.4)
    parser.add_argument("--target", default="raspberry-pi")
    parser.add_argument("--emit", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.emit is not None:
        emit(options.emit, options.target)
        return 0
    layers = layers_of(options.gib)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, layers)
        command = [sys.executable, "-m", __spec__.name, "--emit", name, "--target", options.target]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peak, weights = float(done.stdout.split()[-1]), layers * LAYER / 2**20
        bound, error = 1.3 * weights + 300, difference(folder, layers)
        print(f"weights {weights:.0f} MiB, file {(folder / _FILE).stat().st_size / 2**20:.0f} MiB")
        print(f"peak memory of emission {peak:.0f} MiB, bound {bound:.0f}; relative error {error:.1e}")
    return 0 if peak <= bound and error <= TOLERANCE else 1


if __name__ == "__main__":
    raise SystemExit(main())
