"""Valid files that are mutated into broken ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper


def onnx_seeds() -> list[onnx.ModelProto]:
    """Small models: a convolutional net, control flow, reshapes by computed shapes, a function of the model's own, an
    old opset, a recurrent net, a quantized one, ONNX Runtime's own operators.
    """
    return [
        *(_convolution(), _control_flow(), _shapes(), _function()),
        *(_old(), _recurrent(), _quantized(), _contributed()),
    ]


def write_torch_seeds(folder: Path) -> list[Path]:
    """An exported program and a scripted module."""
    import torch
    from torch import nn

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    example = (torch.randn(1, 3, 8, 8),)
    torch.export.save(torch.export.export(net, example), folder / "net.pt2")
    torch.jit.script(net).save(str(folder / "net.pt"))
    return [folder / "net.pt2", folder / "net.pt"]


CODE = """
import torch

def model():
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()), (torch.randn(2, 4),)
"""
"""The module that the weights belong to."""


def write_weight_seeds(folder: Path) -> list[Path]:
    """Weights of `CODE`, which is written beside them as `net.py`: a safetensors file and a checkpoint."""
    import torch
    from safetensors.torch import save_file

    (folder / "net.py").write_text(CODE)
    state = {"0.weight": torch.randn(3, 4), "0.bias": torch.randn(3)}
    save_file(state, folder / "net.safetensors")
    torch.save({"state_dict": state, "epoch": 3}, folder / "net.ckpt")
    return [folder / "net.safetensors", folder / "net.ckpt"]


PROJECT = """
source = "net.py:model"
target = ["android", "iphone"]
out = "build"
input = ["x=2x4:float32"]
dynamic = ["x:0=batch:1..8"]
set = ["numerics.compute=float32"]
"""
"""A project file."""


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


def _model(graph: onnx.GraphProto, opset: int = 18, **more: object) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9, **more)


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


def _old() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Upsample", ["x"], ["u"], mode="linear", scales=[1.0, 1.0, 2.0, 1.5]),
        helper.make_node("Slice", ["u"], ["s"], starts=[0, 1], ends=[2, -1], axes=[2, 3]),
        helper.make_node("ReduceSum", ["s"], ["r"], axes=[3], keepdims=0),
        helper.make_node("Hardmax", ["r"], ["h"], axis=1),
        helper.make_node("Unsqueeze", ["h"], ["y"], axes=[0]),
    ]
    return _model(helper.make_graph(nodes, "g", [_value("x", [1, 2, 3, 4])], [_value("y", None)]), opset=8)


def _recurrent() -> onnx.ModelProto:
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r", "b"], ["h", "last"], hidden_size=3, direction="bidirectional"),
        helper.make_node("Squeeze", ["last"], ["s"]),
        helper.make_node("Einsum", ["s", "m"], ["e"], equation="bij,jk->bik"),
        helper.make_node("TopK", ["e", "k"], ["y", "i"], axis=-1),
    ]
    weights = [_tensor("w", [2, 12, 2]), _tensor("r", [2, 12, 3]), _tensor("b", [2, 24]), _tensor("m", [3, 4])]
    weights.append(onnx.numpy_helper.from_array(np.array([2], np.int64), "k"))
    outputs = [_value("y", None), _value("i", None, TensorProto.INT64), _value("h", None)]
    return _model(helper.make_graph(nodes, "g", [_value("x", [4, 2, 2])], outputs, weights))


def _quantized() -> onnx.ModelProto:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "t", "o"], ["v"], axis=0),
        helper.make_node("Conv", ["d", "v"], ["c"]),
        helper.make_node("Resize", ["c", "", "", "sizes"], ["y"], mode="linear"),
    ]
    arrays = {
        "s": np.float32(0.1), "z": np.uint8(120), "w": np.arange(16, dtype=np.int8).reshape(4, 2, 1, 2),
        "t": np.full(4, 0.01, np.float32), "o": np.zeros(4, np.int8), "sizes": np.array([1, 4, 7, 5], np.int64),
    }  # fmt: skip
    weights = [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    return _model(helper.make_graph(nodes, "g", [_value("x", [1, 2, 4, 4])], [_value("y", None)], weights))


def _contributed() -> onnx.ModelProto:
    own = "com.microsoft"
    nodes = [
        helper.make_node("SkipLayerNormalization", ["x", "x", "g", "g"], ["n"], domain=own),
        helper.make_node("MultiHeadAttention", ["n", "n", "n"], ["a"], domain=own, num_heads=2),
        helper.make_node("BiasGelu", ["a", "g"], ["b"], domain=own),
        helper.make_node("FusedMatMul", ["b", "b"], ["y"], domain=own, transB=1, alpha=0.5),
    ]
    model = _model(helper.make_graph(nodes, "g", [_value("x", [1, 3, 4])], [_value("y", None)], [_tensor("g", [4])]))
    model.opset_import.append(helper.make_opsetid(own, 1))
    return model
