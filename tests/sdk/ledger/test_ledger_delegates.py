"""The ledger of TFLite's delegates: each condition is found in a file of one operator that violates it."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from typer.testing import CliRunner

from edgec.cli.app import app
from edgec.diag import EdgecError
from edgec.ledger.lint import lint
from edgec.ledger.tflite.delegated import ROWS
from edgec.ledger.tflite.delegates import UNITS

Sizes = tuple[int, ...]
Kind = tuple[str, Sizes] | tuple[str, Sizes, list[int]]
"""An element type and a shape; with content, a constant."""
Case = tuple[str, list[Kind], list[Kind]]

X: Kind = ("FLOAT32", (4, 8))
FIVE: Kind = ("FLOAT32", (1, 2, 3, 4, 5))
COMPUTED: Case = ("RESHAPE", [X, ("INT32", (2,))], [X])
INTEGERS: Case = ("ADD", [("INT32", (4, 8))] * 2, [("INT32", (4, 8))])
DECIDED: Case = ("WHERE", [("BOOL", (8,))], [("INT64", (-1, 1))])
CLEAN: Case = ("ADD", [X, X], [X])
PLANTS: dict[str, Case] = {
    "xnnpack-operator": ("GREATER", [X, X], [("BOOL", (4, 8))]),
    "xnnpack-float32-alone": INTEGERS,
    "xnnpack-concatenates-five": ("CONCATENATION", [X] * 6, [("FLOAT32", (24, 8))]),
    "xnnpack-static-parameters": COMPUTED,
    "gpu-operator": ("ARG_MAX", [X, ("INT32", (), [0])], [("INT64", (8,))]),
    "gpu-float-alone": INTEGERS,
    "gpu-four-dimensions": ("EXP", [FIVE], [FIVE]),
    "gpu-static-parameters": COMPUTED,
    "gpu-three-or-four-dimensions": ("SLICE", [X, ("INT32", (2,), [0, 1]), ("INT32", (2,), [1, 2])], [X]),
    "gpu-gathers-by-a-vector": ("GATHER", [X, ("INT32", (2, 2))], [("FLOAT32", (2, 2, 8))]),
    "gpu-selects-without-broadcast": ("SELECT_V2", [("BOOL", (4, 8)), ("FLOAT32", (1, 8)), X], [X]),
    "gpu-sizes": DECIDED,
    "nnapi-operator": ("CUMSUM", [X, ("INT32", (), [0])], [X]),
    "nnapi-no-64-bit": ("ADD", [("INT64", (4, 8))] * 2, [("INT64", (4, 8))]),
    "nnapi-element-types": ("EXP", [("FLOAT16", (4, 8))], [("FLOAT16", (4, 8))]),
    "nnapi-four-dimensions": ("EXP", [FIVE], [FIVE]),
    "nnapi-newer-version": ("SLICE", [X, ("INT32", (2,), [0, 1]), ("INT32", (2,), [1, 2])], [X]),
    "nnapi-static-parameters": COMPUTED,
    "nnapi-scalar-result": ("SUM", [X, ("INT32", (2,), [0, 1])], [("FLOAT32", ())]),
    "nnapi-sizes": DECIDED,
    "qnn-operator": ("SCATTER_ND", [("INT32", (1, 1)), ("FLOAT32", (1,)), ("INT32", (1,), [4])], [("FLOAT32", (4,))]),
    "qnn-static-parameters": COMPUTED,
    "qnn-sizes": ("TILE", [X, ("INT32", (2,))], [X]),
}
VERSIONS = {"nnapi-newer-version": 5}


def write(path: Path, case: Case, version: int = 1) -> Path:
    """Write a file of one operator."""
    name, inputs, outputs = case
    model, graph, code, op = schema.ModelT(), schema.SubGraphT(), schema.OperatorCodeT(), schema.OperatorT()
    model.version, model.buffers, graph.tensors = 3, [schema.BufferT()], []
    for number, (dtype, shape, *content) in enumerate((*inputs, *outputs)):
        tensor = schema.TensorT()
        tensor.name, tensor.type = f"t{number}", getattr(schema.TensorType, dtype)
        tensor.shape, tensor.shapeSignature = [max(d, 1) for d in shape], list(shape)
        if content:
            tensor.buffer = len(model.buffers)
            model.buffers.append(schema.BufferT())
            model.buffers[-1].data = np.frombuffer(np.array(content[0], np.int32).tobytes(), np.uint8)
        graph.tensors.append(tensor)
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
    op.inputs, op.outputs = list(range(len(inputs))), list(range(len(inputs), len(inputs) + len(outputs)))
    if name == "CONCATENATION":
        op.builtinOptionsType, op.builtinOptions = (
            schema.BuiltinOptions.ConcatenationOptions,
            schema.ConcatenationOptionsT(),
        )
    given = [i for i, kind in enumerate(inputs) if len(kind) < 3]
    graph.inputs, graph.outputs, graph.operators = given, list(op.outputs), [op]
    model.subgraphs, model.operatorCodes = [graph], [code]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


@pytest.mark.parametrize("label", [row.label for row in ROWS])
def test_a_condition_that_is_not_met_is_found(label: str, tmp_path: Path) -> None:
    path = write(tmp_path / "m.tflite", PLANTS[label], VERSIONS.get(label, 1))
    assert not lint(path)
    (found,) = [f for f in lint(path, (label.split("-")[0],)) if f.label == label]
    assert found.severity.value == "warning"
    assert found.source


def test_what_all_delegates_take_is_not_told_of(tmp_path: Path) -> None:
    assert not lint(write(tmp_path / "m.tflite", CLEAN), UNITS)
    assert PLANTS.keys() == {row.label for row in ROWS}


@pytest.mark.parametrize("case", [CLEAN, *(PLANTS[r.label] for r in ROWS if r.label.startswith("xnnpack"))])
def test_litert_gives_xnnpack_the_same(case: Case, tmp_path: Path) -> None:
    path = write(tmp_path / "m.tflite", case)
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    is_delegated = any(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
    assert is_delegated == (not lint(path, ("xnnpack",)))


def test_the_command_asks_for_delegates(tmp_path: Path) -> None:
    path = str(write(tmp_path / "m.tflite", INTEGERS))
    done = CliRunner().invoke(app, ["lint", path, "--delegate", "gpu", "--delegate", "xnnpack"])
    assert done.exit_code == 0
    assert "warning[E0610]: `gpu-float-alone`" in done.stderr
    assert "required by the GPU delegate: LiteRT, tflite/delegates/gpu/common/model_builder.cc" in done.stderr
    assert "warning[E0610]: `xnnpack-float32-alone`" in done.stderr
    unknown = CliRunner().invoke(app, ["lint", path, "--delegate", "hexagon"])
    assert unknown.exit_code == 2
    assert "`hexagon` is not a delegate" in unknown.stderr
    with pytest.raises(EdgecError, match="delegates are for TFLite files"):
        lint(tmp_path / "m.mlpackage", ("gpu",))
