"""LiteRT's runner: numbers in the file's type, never cut to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgec.diag import EdgecError
from edgec.runners.litert import LiteRTRunner


def _file(path: Path, kind: int, scale: float | None) -> Path:
    """A file whose one operator is RESHAPE of (1, 4), of that type and scale."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.array([4, 1], np.int32).view(np.uint8)
    graph.tensors = [_tensor("x", (1, 4), kind, scale), _tensor("s", (2,), schema.TensorType.INT32, None)]
    graph.tensors += [_tensor("y", (4, 1), kind, scale)]
    graph.tensors[1].buffer = 1
    code, op = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    code.version, op.opcodeIndex, op.inputs, op.outputs = 1, 0, [0, 1], [2]
    model.operatorCodes, graph.operators, graph.inputs, graph.outputs = [code], [op], [0], [2]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _tensor(name: str, shape: tuple[int, ...], kind: int, scale: float | None) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, 0
    if scale is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [3]
    return tensor


def test_floats_for_quantized_inputs_are_quantized(tmp_path: Path) -> None:
    x = np.array([[-0.6, 0.24, 0.26, 99.0]], np.float32)
    with LiteRTRunner(_file(tmp_path / "q.tflite", schema.TensorType.INT8, 0.5), as_source=True) as runner:
        np.testing.assert_array_equal(runner.run({"x": x})["y"][:, 0], np.float32([-0.5, 0, 0.5, 62.0]))
        steps = runner.run({"x": np.int8([[1, 2, 3, 4]])})["y"]
    assert steps.dtype == np.int8
    np.testing.assert_array_equal(steps[:, 0], [1, 2, 3, 4])


def test_floats_for_other_integers_are_refused(tmp_path: Path) -> None:
    with LiteRTRunner(_file(tmp_path / "i.tflite", schema.TensorType.INT32, None)) as runner:
        with pytest.raises(EdgecError) as refused:
            runner.run({"x": np.float32([[0.5, 1, 2, 3]])})
        assert refused.value.diagnostics[0].code == "E0107"
