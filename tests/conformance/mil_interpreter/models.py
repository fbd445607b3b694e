"""Runs coremltools' own conversions of PyTorch models in the interpreter and compares them with eager PyTorch.

    python -m tests.conformance.mil_interpreter.models --models path/to/models.py --out models.jsonl [--only a,b]

The file given by `--models` has a dictionary `ZOO` of names and a function `make(name)` that returns
`(module, example inputs)`. Each model is traced (or exported, if coremltools cannot convert the trace), converted to
float32 and float16 by coremltools, saved, and executed in a separate process; `--out` receives one JSON line for each
model and precision.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

# The largest error over the largest magnitude of an output that still counts as agreement.
TOLERANCE = {"float32": 1e-4, "float16": 3e-2}
_TIMEOUT_S = 300


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    module = _load(options.models)
    if options.one:
        for record in check(module, options.one):
            print("RESULT " + json.dumps(record), flush=True)
        return 0
    done = (
        {json.loads(line)["model"] for line in options.out.read_text().splitlines()} if options.out.exists() else set()
    )
    for name in options.only.split(",") if options.only else names(module):
        if name in done:
            continue
        for record in _in_process(options.models, name):
            print(record)
            with options.out.open("a") as file:
                file.write(json.dumps(record) + "\n")
    return 0


def names(module: ModuleType) -> list[str]:
    """The names that `make` accepts."""
    return list(module.ZOO)


def check(module: ModuleType, name: str) -> list[dict[str, Any]]:
    """One record for each precision: the difference between the interpreter's outputs and eager PyTorch's."""
    import torch

    from edgec.runners.mil import MilRunner

    torch.manual_seed(0)
    model, inputs = module.make(name)
    model = model.eval()
    with torch.no_grad():
        expected = _flat(model(*inputs))
    records = []
    for precision in ("float32", "float16"):
        try:
            converted, route = _converted(model, inputs, precision)
        except Exception as cause:
            records.append(_record(name, precision, "not converted", f"{type(cause).__name__}: {cause}"))
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.mlpackage"
            converted.save(str(path))
            with MilRunner(path, precision) as runner:
                given = {f.name: x.numpy().astype(f.dtype) for f, x in zip(runner.inputs, inputs, strict=True)}
                start = time.perf_counter()
                got = list(runner.run(given).values())
                seconds = time.perf_counter() - start
            record = _compared(name, precision, expected, got, seconds) | {"route": route}
            if not np.isfinite(record.get("max_rel", 0.0)):
                record["detail"] = f"float32 reaches {_largest(path, given):.0e}"
        records.append(record)
    return records


def _largest(path: Path, given: dict[str, Any]) -> float:
    """The largest magnitude of any value when the package runs in float32; float16's limit is 65504."""
    from edgec.runners.mil import MilRunner

    peaks = [0.0]

    def watch(name: str, value: Any) -> None:
        if value.dtype.kind == "f":
            peaks.append(float(np.abs(value).max(initial=0.0)))

    MilRunner(path, "float32", tap=watch).run(given)
    return max(peaks)


def _converted(model: Any, inputs: Any, precision: str) -> tuple[Any, str]:
    """coremltools' conversion of the traced model, or of the exported one if that fails."""
    import coremltools as ct
    import torch

    options = {
        "compute_precision": ct.precision.FLOAT32 if precision == "float32" else ct.precision.FLOAT16,
        "minimum_deployment_target": ct.target.iOS17,
    }
    try:
        traced = torch.jit.trace(model, inputs, strict=False, check_trace=False)
        types = [ct.TensorType(f"in{i}", shape=x.shape, dtype=_numpy_type(x)) for i, x in enumerate(inputs)]
        return ct.convert(traced, inputs=types, **options), "trace"
    except Exception:
        exported = torch.export.export(model, tuple(inputs)).run_decompositions({})
        return ct.convert(exported, **options), "export"


def _compared(name: str, precision: str, expected: list[Any], got: list[Any], seconds: float) -> dict[str, Any]:
    if len(expected) != len(got):
        return _record(name, precision, "wrong", f"{len(got)} outputs for {len(expected)}")
    worst = 0.0
    for want, have in zip(expected, got, strict=True):
        if want.size != have.size:
            return _record(name, precision, "wrong", f"shape {have.shape} for {want.shape}")
        difference = np.abs(want.astype(np.float64) - have.reshape(want.shape).astype(np.float64))
        error = float(difference.max(initial=0.0) / max(np.abs(want).max(initial=0.0), 1e-12))
        worst = max(worst, error if np.isfinite(error) else float("inf"))
    record = _record(name, precision, "agrees" if worst <= TOLERANCE[precision] else "differs", "")
    return record | {"max_rel": worst, "seconds": seconds}


def _record(name: str, precision: str, outcome: str, detail: str) -> dict[str, Any]:
    return {"model": name, "precision": precision, "outcome": outcome, "detail": detail[:300]}


def _flat(value: Any) -> list[Any]:
    import torch

    if isinstance(value, torch.Tensor):
        return [value.detach().numpy()]
    if isinstance(value, dict):
        value = list(value.values())
    return [array for item in value if item is not None for array in _flat(item)]


def _numpy_type(tensor: Any) -> type:
    return np.float32 if tensor.is_floating_point() else np.int32


def _in_process(models: Path, name: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", __spec__.name, "--models", str(models), "--out", "-", "--one", name]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return [_record(name, "", "failed", f"no result in {_TIMEOUT_S} s")]
    lines = [line[7:] for line in result.stdout.splitlines() if line.startswith("RESULT ")]
    if result.returncode or not lines:
        return [_record(name, "", "failed", (result.stderr.strip().splitlines() or ["no message"])[-1])]
    return [json.loads(line) for line in lines]


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("models_under_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    raise SystemExit(main())
