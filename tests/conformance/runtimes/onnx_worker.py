"""Runs one file in the environment of an ONNX Runtime, without edgec, on an `.npz` of inputs by name.

onnx_worker.py MODEL.onnx INPUTS.npz OUTPUTS.npz SAID.json
"""

import json
import sys

import numpy as np
import onnxruntime


def answer(path: str, inputs: str, outputs: str) -> str:
    """Run the file; returns `ok`, or the error."""
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        with np.load(inputs) as given:
            results = session.run(None, {name: given[name] for name in given.files})
    except Exception as failure:  # the runtime's error is the result
        return " ".join(str(failure).split())[:300] or type(failure).__name__
    np.savez(outputs, *results)
    return "ok"


if __name__ == "__main__":
    with open(sys.argv[4], "w") as file:
        json.dump(answer(*sys.argv[1:4]), file)
