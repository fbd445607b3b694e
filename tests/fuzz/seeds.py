"""Valid files from which broken ones are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper


def onnx_seeds() -> list[onnx.ModelProto]:
    """Small models: a convolutional net, control flow, reshapes by computed shapes, a function of the model's own."""
    return [_convolution(), _control_flow(), _shapes(), _function()]


def write_torch_seeds(folder: Path) -> list[Path]:
    """An exported program and a scripted module."""
    import torch
    from torch import nn

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    example = (torch.randn(1, 3, 8, 8),)
    torch.export.save(torch.export.export(net, example), folder / "net.pt2")
    torch.jit.script(net).save(str(folder / "net.pt"))
    return [folder / "net.pt2", folder / "net.pt"]


def write_skops_seed(folder: Path) -> Path:
    """A scaler and a small forest."""
    import skops.io
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.random.default_rng(0).standard_normal((40, 3))
    pipeline = make_pipeline(StandardScaler(), RandomForestClassifier(2, max_depth=3, random_state=0))
    skops.io.dump(pipeline.fit(rows, rows[:, 0] > 0), folder / "model.skops")
    return folder / "model.skops"


def _model(graph: onnx.GraphProto, **more: object) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, **more)


def _tensor(name: str, shape: list[int]) -> TensorProto:
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return onnx.numpy_helper.from_array(values, name)


def _value(name: str, shape: list[int] | None, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _convolution() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c", "s", "b", "b", "s"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    scale = onnx.numpy_helper.from_array(np.abs(np.ones(4, np.float32)), "s")
    weights = [_tensor("w", [4, 3, 3, 3]), _tensor("b", [4]), scale]
    return _model(helper.make_graph(nodes, "g", [_value("x", [1, 3, 8, 8])], [_value("y", [1, 4])], weights))


def _control_flow() -> onnx.ModelProto:
    then = helper.make_graph([helper.make_node("Relu", ["x"], ["t"])], "then", [], [_value("t", [2, 3])])
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["e"])], "else", [], [_value("e", [2, 3])])
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Cast", ["s"], ["c"], to=TensorProto.BOOL),
        helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other),
    ]
    return _model(helper.make_graph(nodes, "g", [_value("x", [2, 3])], [_value("y", [2, 3])]))


def _shapes() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Concat", ["n", "minus"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["r"]),
        helper.make_node("Slice", ["r", "zero", "two", "axis"], ["y"]),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array([v], np.int64), n)
        for n, v in (("zero", 0), ("minus", -1), ("two", 2), ("axis", 1))
    ]
    return _model(helper.make_graph(nodes, "g", [_value("x", [2, 3, 4])], [_value("y", None)], constants))


def _function() -> onnx.ModelProto:
    body = helper.make_function(
        "own",
        "Twice",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 18)],
    )
    node = helper.make_node("Twice", ["x"], ["y"], domain="own")
    model = _model(helper.make_graph([node], "g", [_value("x", [2])], [_value("y", [2])]), functions=[body])
    model.opset_import.append(helper.make_opsetid("own", 1))
    return model
