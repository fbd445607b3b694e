"""The versions of each builtin in a runtime, found by loading a file of one operator for each version.

Writes `edgec/ledger/tflite/registered.txt`: `python -m tests.conformance.runtimes --registered`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from tests.conformance.runtimes.environment import RUNTIMES, interpreter

FILE = Path(__file__).parents[3] / "edgec/ledger/tflite/registered.txt"
WORKER = Path(__file__).with_name("worker.py")
NEWEST = 16
_NO_BUILTINS = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES", "CONCAT_EMBEDDINGS", "CALL"}
_ABSENT = ("Didn't find op", "out of range", "Registration failed")


def one_operator(path: Path, builtin: int, version: int) -> None:
    """Write a file of one operator, which need not be valid: registration is checked first."""
    model, code, graph, operator = schema.ModelT(), schema.OperatorCodeT(), schema.SubGraphT(), schema.OperatorT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), version
    given, made = schema.TensorT(), schema.TensorT()
    given.shape, made.shape, given.name, made.name = [1], [1], "x", "y"
    operator.inputs, operator.outputs = [0], [1]
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [given, made], [0], [1], [operator]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


def measure() -> str:
    """The table, one builtin a line."""
    names = {k: v for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int) and k not in _NO_BUILTINS}
    pythons = [str(interpreter(runtime)) for runtime in RUNTIMES] + [sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        cases = [(name, version) for name in sorted(names) for version in range(1, NEWEST + 1)]
        jobs = [[f"{folder}/{name}-{version}.tflite", "", ""] for name, version in cases]
        for (name, version), (path, *_) in zip(cases, jobs, strict=True):
            one_operator(Path(path), names[name], version)
        asked = Path(folder) / "jobs.json"
        asked.write_text(json.dumps(jobs))
        columns = []
        for python in pythons:
            answers = Path(folder) / "answers.json"
            subprocess.run([python, str(WORKER), str(asked), str(answers)], check=True, capture_output=True)
            newest: dict[str, int] = {}
            for (name, version), said in zip(cases, json.loads(answers.read_text()), strict=True):
                if not any(words in said for words in _ABSENT):
                    newest[name] = max(version, newest.get(name, 0))
            columns.append(newest)
    rows = [f"{n} {' '.join(str(c.get(n, '-')) for c in columns)}" for n in sorted(names) if n in columns[-1]]
    return "\n".join([*HEAD, *rows]) + "\n"


HEAD = (
    "# The newest version of each builtin that a runtime has registered; - where it has none. Measured: a file of one",
    "# operator of each version was given to each runtime (`python -m tests.conformance.runtimes --registered`).",
    "# Columns: tflite-runtime 2.14.0, ai-edge-litert 1.0.1, 1.4.0, 2.0.3, 2.3.0.",
)
