"""A chain of matrix products of any size, with weights beside the ONNX file, written one layer at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgec.ir.model import OPSET

WIDE, WIDER = 4096, 8192
LAYER = WIDE * WIDER * 4
"""Bytes of one layer's weight in float32."""

MODEL, WEIGHTS = "model.onnx", "weights.bin"


def layers_of(gib: float) -> int:
    """The number of layers closest to the given GiB."""
    return max(1, round(gib * 2**30 / LAYER))


def shape_of(layer: int) -> tuple[int, int]:
    """The shape of a layer's weight; layers alternate between widening and narrowing."""
    return (WIDE, WIDER) if layer % 2 == 0 else (WIDER, WIDE)


def make(folder: Path, layers: int) -> None:
    """Write the ONNX file and its weights, one layer at a time."""
    rng, nodes, weights, x = np.random.default_rng(0), [], [], "x"
    with (folder / WEIGHTS).open("wb") as file:
        for i in range(layers):
            rows, columns = shape_of(i)
            content = rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(np.sqrt(rows))
            file.write(content.data)
            tensor = TensorProto(name=f"w{i}", data_type=TensorProto.FLOAT, dims=(rows, columns))
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", WEIGHTS), ("offset", str(i * LAYER)), ("length", str(LAYER))):
                tensor.external_data.add(key=key, value=value)
            weights.append(tensor)
            nodes += [
                helper.make_node("MatMul", [x, f"w{i}"], [f"m{i}"]),
                helper.make_node("Tanh", [f"m{i}"], [f"y{i}"]),
            ]
            x = f"y{i}"
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, size])
        for name, size in (("x", WIDE), (x, shape_of(layers - 1)[1]))
    ]
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10), folder / MODEL)


def sample() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A fixed input."""
    return np.random.default_rng(1).standard_normal((2, WIDE)).astype(np.float32)


def expected(folder: Path, layers: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The output for the sample, computed by numpy."""
    x, content = sample(), np.memmap(folder / WEIGHTS, np.float32)
    for i in range(layers):
        x = np.tanh(x @ content[i * LAYER // 4 : (i + 1) * LAYER // 4].reshape(shape_of(i)))
    return x
