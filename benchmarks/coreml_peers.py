"""`edgec build --target iphone` against coremltools' conversion of the same models, whole processes in turn.

    python -m benchmarks.coreml_peers --models path/to/models.py --only mobilenet_v2,bert [--rounds 3]

The file given by `--models` has a dictionary `ZOO` of names, a function `make(name)` that returns (module, inputs), and
each name as an attribute. Times are from the start of the interpreter to the package on disk; edgec also runs the
package and compares it with eager PyTorch, coremltools does not. coremltools converts the traced module (`trace`) or
the exported program (`export`), whichever works.
Prints medians and their ratios, in wall-clock and processor time: a loaded machine affects only the former.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.whole_processes import Contest, Timed, build_command

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


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", required=True, type=Path)
    parser.add_argument("--only", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    models, contest = str(options.models.resolve()), Contest(options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only.split(","):
            convert = [sys.executable, "-c", _CONVERT, models, name]
            package = f"{folder}/peer.mlpackage"
            route = next((r for r in ("trace", "export") if Timed().run([*convert, r, package])), "export")
            contest.add(name, build_command(f"{models}:{name}", "iphone", folder), [*convert, route, package])
    return contest.close()


if __name__ == "__main__":
    raise SystemExit(main())
