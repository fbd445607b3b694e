"""`edgec build --target iphone` against coremltools' conversion of the same models, whole processes in turn.

    python -m benchmarks.coreml_peers --models path/to/models.py --only mobilenet_v2,bert [--rounds 3]

The file named by `--models` has a dictionary `ZOO` of names, a function `make(name)` that returns (module, inputs), and
each name as an attribute. A process starts at the interpreter and ends with the package on disk; edgec's also runs what
it wrote and compares it with eager PyTorch, coremltools' does not. coremltools converts the traced module (`trace`) or
the exported program (`export`), whichever works.
Prints median seconds and peak memory, and the ratios, of processor time (`cpu`) as well.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

_CONVERT = """
import importlib.util, sys
import torch
path, name, route, out = sys.argv[1:]
spec = importlib.util.spec_from_file_location("models_under_test", path)
models = importlib.util.module_from_spec(spec); spec.loader.exec_module(models)
module, inputs = models.make(name)
import coremltools as ct
import numpy as np
options = dict(minimum_deployment_target=ct.target.iOS17, compute_precision=ct.precision.FLOAT16)
if route == "trace":
    traced = torch.jit.trace(module, inputs, strict=False, check_trace=False)
    kinds = [np.float32 if x.is_floating_point() else np.int32 for x in inputs]
    types = [ct.TensorType(f"in{i}", shape=x.shape, dtype=k) for i, (x, k) in enumerate(zip(inputs, kinds))]
    model = ct.convert(traced, inputs=types, **options)
else:
    model = ct.convert(torch.export.export(module, tuple(inputs)).run_decompositions({}), **options)
model.save(out)
"""

BUILD = "from edgec.cli.app import main; main()"


@dataclass
class Timed:
    """Processes of one kind: seconds by the clock and of the processor, and peak MiB of memory."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)

    def run(self, command: list[str]) -> bool:
        """Whether the process succeeded; if so it counts."""
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            return False
        self.seconds.append(time.monotonic() - start)
        self.cpu.append(usage.ru_utime + usage.ru_stime)
        self.peak_mib.append(usage.ru_maxrss / 1024)
        return True


def compare(models: Path, name: str, rounds: int) -> tuple[Timed, Timed] | None:
    """Both ways in turn, `rounds` times after one of each to warm the caches; None where coremltools converts none."""
    edgec, peer, route = Timed(), Timed(), ""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-c", BUILD, "build", f"{models}:{name}", "--target", "iphone", "--out", folder]
        convert = [sys.executable, "-c", _CONVERT, str(models), name]
        package = f"{folder}/peer.mlpackage"
        route = next((r for r in ("trace", "export") if Timed().run([*convert, r, package])), "")
        if not route or not Timed().run(build):
            return None
        for _ in range(rounds):
            if not edgec.run(build) or not peer.run([*convert, route, package]):
                return None
    return edgec, peer


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", required=True, type=Path)
    parser.add_argument("--only", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ratios = []
    print(f"{'':24} {'edgec s':>8} {'peer s':>8} {'ratio':>6} {'cpu':>6} {'edgec MiB':>10} {'peer MiB':>9}")
    for name in options.only.split(","):
        found = compare(options.models.resolve(), name, options.rounds)
        if found is None:
            print(f"{name:24} not converted by both", flush=True)
            continue
        mine, theirs = (statistics.median(t.seconds) for t in found)
        memory = [statistics.median(t.peak_mib) for t in found]
        busy = statistics.median(found[0].cpu) / statistics.median(found[1].cpu)
        ratios.append(mine / theirs)
        print(f"{name:24} {mine:8.2f} {theirs:8.2f} {mine / theirs:6.2f} {busy:6.2f}", end=" ")
        print(f"{memory[0]:10.0f} {memory[1]:9.0f}", flush=True)
    if ratios:
        print(f"median ratio of {len(ratios)} models: {statistics.median(ratios):.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
