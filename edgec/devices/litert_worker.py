"""Runs on the board, by its own Python (3.8 or later) with NumPy and LiteRT; nothing of edgec is there.

    litert_worker.py run  MODEL INPUTS.npz OUTPUTS.npz THREADS [DELEGATE]
    litert_worker.py time MODEL INPUTS.npz SAMPLES.npy THREADS WARM_UP RUNS SECONDS [DELEGATE]

An `.npz` holds the names of its arrays in the first one. `time` writes the milliseconds of each run. The last line is
`edgec-result {…}`, or `edgec-error {…}` with exit status 3.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from typing import Any


class WorkError(Exception):
    """What went wrong: `kind` is missing, refused, delegate or failed."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(text)


def load_runtime() -> tuple[Any, str]:
    """The module with `Interpreter`, and the package's name and version."""
    import importlib

    said = []
    for package, name in (
        ("ai-edge-litert", "ai_edge_litert.interpreter"),
        ("tflite-runtime", "tflite_runtime.interpreter"),
        ("tensorflow", "tensorflow.lite.python.interpreter"),
    ):
        try:
            return importlib.import_module(name), f"{package} {version_of(package)}"
        except ImportError as missing:
            said.append(str(missing))
    raise WorkError("missing", "; ".join(said))


def version_of(package: str) -> str:
    """The installed version, where the system tells."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "of unknown version"


def load_model(runtime: Any, path: str, threads: int, delegate: str) -> Any:
    """An interpreter with its tensors allocated."""
    delegates = []
    if delegate:
        try:
            delegates = [runtime.load_delegate(delegate)]
        except (OSError, ValueError) as failure:
            raise WorkError("delegate", str(failure)) from failure
    try:
        made = runtime.Interpreter(path, num_threads=threads, experimental_delegates=delegates)
        made.allocate_tensors()
    except (RuntimeError, ValueError) as failure:
        raise WorkError("refused", str(failure)) from failure
    if delegate and not taken(made):
        raise WorkError("delegate", "the delegate took no operator: the CPU would have been measured")
    return made


def taken(interpreter: Any) -> bool:
    """Whether a delegate runs anything. XNNPACK, which is applied later, is not among the nodes yet."""
    names = [str(op["op_name"]).lower() for op in interpreter._get_ops_details()]
    return any("delegate" in name and "xnnpack" not in name for name in names)


def fill(interpreter: Any, numpy: Any, path: str) -> None:
    """Set the inputs."""
    with numpy.load(path, allow_pickle=False) as file:
        given = {str(name): file[f"arr_{i + 1}"] for i, name in enumerate(file["arr_0"])}
    known = details(interpreter, "input")
    for name, detail in known.items():
        if list(detail["shape"]) != list(given[name].shape):
            interpreter.resize_tensor_input(detail["index"], given[name].shape)
    interpreter.allocate_tensors()
    for name, detail in known.items():
        if given[name].size:
            interpreter.set_tensor(detail["index"], numpy.asarray(given[name], dtype=detail["dtype"], order="C"))


def details(interpreter: Any, kind: str) -> dict[str, Any]:
    """The inputs or outputs by their names in the signature, or the tensors' own where there is none."""
    if interpreter.get_signature_list():
        runner = interpreter.get_signature_runner()
        return dict(getattr(runner, f"get_{kind}_details")())
    return {d["name"]: d for d in getattr(interpreter, f"get_{kind}_details")()}


def run(interpreter: Any, numpy: Any, inputs: str, outputs: str) -> dict[str, Any]:
    """One run; the outputs go to a file."""
    fill(interpreter, numpy, inputs)
    interpreter.invoke()
    found = {}
    shapes = {d["index"]: d for d in interpreter.get_output_details()}
    for name, detail in details(interpreter, "output").items():
        now = shapes.get(detail["index"], detail)
        empty = 0 in list(now["shape"])
        found[name] = numpy.zeros(now["shape"], now["dtype"]) if empty else interpreter.get_tensor(now["index"])
    numpy.savez(outputs, numpy.asarray(list(found), dtype=numpy.str_), *found.values())
    return {}


def measure(interpreter: Any, numpy: Any, inputs: str, samples: str, numbers: list[str]) -> dict[str, Any]:
    """Single runs, timed one by one, until there are enough of them or the seconds have passed."""
    warm_up, runs, seconds = int(numbers[0]), int(numbers[1]), float(numbers[2])
    fill(interpreter, numpy, inputs)
    start = time.perf_counter()
    interpreter.invoke()
    first = time.perf_counter() - start
    for _ in range(warm_up - 1):
        interpreter.invoke()
    found: list[float] = []
    begin = time.perf_counter()
    while len(found) < runs and (not found or time.perf_counter() - begin < seconds):
        start = time.perf_counter_ns()
        interpreter.invoke()
        found.append((time.perf_counter_ns() - start) / 1e6)
    numpy.save(samples, numpy.asarray(found))
    return {"runs": len(found), "first_ms": first * 1e3}


def main(arguments: list[str]) -> dict[str, Any]:
    """Do what the command line says."""
    mode, model, inputs, made, threads = arguments[:5]
    delegate = arguments[8 if mode == "time" else 5 :]
    runtime, name = load_runtime()
    import numpy

    begin = time.perf_counter()
    interpreter = load_model(runtime, model, int(threads), delegate[0] if delegate else "")
    init = time.perf_counter() - begin
    try:
        if mode == "run":
            result = run(interpreter, numpy, inputs, made)
        else:
            result = measure(interpreter, numpy, inputs, made, arguments[5:8])
    except (RuntimeError, ValueError, KeyError, MemoryError) as failure:
        raise WorkError("failed", str(failure) or type(failure).__name__) from failure
    python = "Python " + platform.python_version()
    return {"runtime": name, "python": python, "numpy": numpy.__version__, "init_ms": init * 1e3, **result}


if __name__ == "__main__":
    try:
        print("edgec-result " + json.dumps(main(sys.argv[1:])))
    except WorkError as failure:
        print("edgec-error " + json.dumps({"kind": failure.kind, "text": str(failure)}))
        sys.exit(3)
