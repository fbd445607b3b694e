"""Artifacts of other formats in their vendors' readers: coremltools' loader, ONNX's checker, ONNX Runtime."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgec.measure.arrays import draw_arrays
from edgec.measure.inspection import inspect
from tests.conformance.arm import relative
from tests.conformance.runtimes.environment import Runtime, interpreter
from tests.conformance.runtimes.files import artifacts

ONNX_WORKER = Path(__file__).with_name("onnx_worker.py")
OLDEST = Runtime("onnxruntime", "1.23.0", "1.23", "2.2.6")
"""The oldest ONNX Runtime that edgec supports (pyproject.toml)."""
NEWEST = Runtime("onnxruntime", "1.32.0", "1.32", "2.2.6")
BOUND = 1e-4


def by_coremltools(path: Path) -> str:
    """Load a package into coremltools' own program; returns `ok`, or the error."""
    import coremltools as ct
    from coremltools.converters.mil.frontend.milproto.load import load

    spec = ct.utils.load_spec(str(path))
    weights = path / "Data/com.apple.CoreML/weights"
    try:
        program = load(spec, spec.specificationVersion, str(weights))
    except Exception as failure:  # the loader's error is the result
        return f"{type(failure).__name__}: {' '.join(str(failure).split())[:300]}"
    return _same_operations(spec, program)


def _same_operations(spec: Any, program: Any) -> str:
    for name, function in spec.mlProgram.functions.items():
        stored = Counter(op for op in _stored(function.block_specializations[function.opset]) if op not in _REJOINED)
        read = Counter(op for op in _read(program.functions[name]) if op not in _REJOINED)
        if stored - read or read - stored:
            return f"{name}: {dict(stored - read)} were read as {dict(read - stored)}"
    return "ok"


_REJOINED = {"const", "read_state", "write_state", "coreml_update_state"}
"""A write to a state and the read after it are loaded as one operation; coremltools stores constants elsewhere."""


def _stored(block: Any) -> Iterator[str]:
    for op in block.operations:
        yield op.type
        for inner in op.blocks:
            yield from _stored(inner)


def _read(block: Any) -> Iterator[str]:
    for op in block.operations:
        yield op.op_type
        for inner in op.blocks:
            yield from _read(inner)


def by_onnx(path: Path, folder: Path) -> str:
    """Check an ONNX file and run it on the oldest and newest ONNX Runtime; returns `ok`, or the error."""
    import onnx

    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as failure:  # the checker's error is the result
        return f"checker: {' '.join(str(failure).split())[:300]}"
    np.savez(folder / "given.npz", **draw_arrays(inspect(path).inputs))
    outputs = []
    for runtime in (OLDEST, NEWEST):
        made, said = folder / f"{runtime.name}.npz", folder / "said.json"
        words = [str(interpreter(runtime)), "-I", *map(str, (ONNX_WORKER, path, folder / "given.npz", made, said))]
        subprocess.run(words, check=True, capture_output=True)
        told = json.loads(said.read_text())
        if told != "ok":
            return f"{runtime.name}: {told}"
        with np.load(made) as found:
            outputs.append([found[name] for name in found.files])
    worst = max(relative(a, b) for a, b in zip(*outputs, strict=True))
    return "ok" if worst <= BOUND else f"the two differ by {worst:.0e}"


def report(reader: str, paths: Iterable[Path], read: Callable[[Path], str]) -> int:
    """Print a reader's errors and the number of files that it accepts; returns the number of others."""
    said = {path: read(path) for path in paths}
    refused = {path: told for path, told in said.items() if told != "ok"}
    for path, told in refused.items():
        print(f"FAILS: {path.parent} by {reader}: {told}", file=sys.stderr)
    print(f"{reader}: {len(said) - len(refused)} of {len(said)}")
    return len(refused)


def engines(builds: Path) -> list[Path]:
    """The ONNX files of all engines in a folder of builds."""
    return [path.with_suffix(".onnx") for path, _ in artifacts(builds, "engine")]
