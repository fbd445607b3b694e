"""Runs in a runtime's own environment, without edgec; each file in a separate process, since kernels may crash it.

    worker.py JOBS.json RESULTS.json

A job is a file, an `.npz` of inputs in the file's order, and the path for the outputs; a result is `ok` or the error.
"""

import json
import os
import sys

import numpy as np

try:
    from tflite_runtime.interpreter import Interpreter
except ImportError:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tensorflow.lite.python.interpreter import Interpreter


def answer(path: str, inputs: str, outputs: str) -> str:
    """Load and run one file; without inputs, load it."""
    try:
        runtime = Interpreter(path)
        if not inputs:
            return "ok"
        with np.load(inputs) as given:
            arrays = [given[f"arr_{i}"] for i in range(len(given.files))]
        for detail, array in zip(runtime.get_input_details(), arrays, strict=False):
            runtime.resize_tensor_input(detail["index"], array.shape)
        runtime.allocate_tensors()
        for detail, array in zip(runtime.get_input_details(), arrays, strict=False):
            runtime.set_tensor(detail["index"], array)
        runtime.invoke()
        np.savez(outputs, *(runtime.get_tensor(d["index"]) for d in runtime.get_output_details()))
    except Exception as failure:  # the runtime's error is the result
        return " ".join(str(failure).split())[:300] or type(failure).__name__
    return "ok"


def alone(job: "list[str]") -> str:
    """The same in a child process; `ended` if it crashes."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os.write(writer, answer(*job).encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 4096).decode()
    os.close(reader)
    os.waitpid(child, 0)
    return said or "the process ended"


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        jobs = json.load(file)
    with open(sys.argv[2], "w") as file:
        json.dump([alone(job) for job in jobs], file)
