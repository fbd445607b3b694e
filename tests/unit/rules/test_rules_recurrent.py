"""Unrolled LSTM, GRU and RNN compared with ONNX Runtime's kernels."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.backends.tflite.expand import recurrent as blocks
from edgec.ir.model import OPSET, all_nodes
from edgec.passes.constants import FoldConstants
from edgec.passes.remarks import Missed, counted, only
from edgec.passes.rewrite import RewritePass
from edgec.rules.decompose.recurrent import LONGEST, RecurrentToSequenceFirst, UnrollRecurrent
from edgec.runners.onnxruntime import OnnxRuntimeRunner

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@dataclass
class Net:
    """A recurrent node: its present optional inputs, and its attributes."""

    kind: str
    steps: int = 4
    batch: int = 2
    hidden: int = 5
    direction: str = "forward"
    bias: bool = True
    initial: bool = False
    lengths: tuple[int, ...] = ()
    peephole: bool = False
    outputs: tuple[str, ...] = ("y", "h", "c")
    attributes: dict[str, Any] = field(default_factory=dict)

    def model(self) -> onnx.ModelProto:
        rng = np.random.default_rng(2)
        n, size, hidden, d = GATES[self.kind], 3, self.hidden, 2 if self.direction == "bidirectional" else 1

        def draw(*shape: int) -> np.ndarray:
            return (rng.standard_normal(shape) * 0.7).astype(np.float32)

        weights = {"w": draw(d, n * hidden, size), "r": draw(d, n * hidden, hidden)}
        if self.bias:
            weights["b"] = draw(d, 2 * n * hidden)
        if self.lengths:
            weights["lengths"] = np.asarray(self.lengths, np.int32)
        if self.initial:
            weights["h0"] = draw(d, self.batch, hidden)
            weights |= {"c0": draw(d, self.batch, hidden)} if self.kind == "LSTM" else {}
        if self.peephole:
            weights["p"] = draw(d, 3 * hidden)
        optional = ("b", "lengths", "h0", "c0", "p") if self.kind == "LSTM" else ("b", "lengths", "h0")
        names = ["x", *(k if k in weights else "" for k in ("w", "r", *optional))]
        outputs = [o for o in self.outputs if o != "c" or self.kind == "LSTM"]
        node = onnx.helper.make_node(
            self.kind, names, outputs, direction=self.direction, hidden_size=hidden, **self.attributes
        )
        value = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            [node],
            "g",
            [value("x", 1, [self.steps, self.batch, size])],
            [value(o, 1, None) for o in outputs if o],
            [onnx.numpy_helper.from_array(v, k) for k, v in weights.items()],
        )
        proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
        return onnx.shape_inference.infer_shapes(proto)


def run(model: ir.Model, x: np.ndarray) -> dict[str, np.ndarray]:
    with OnnxRuntimeRunner(model, optimize=False) as runner:
        return runner.run({"x": x})


ALL = ("LSTM", "GRU", "RNN")
NETS = [
    *(Net(kind) for kind in ALL),
    *(Net(kind, direction="reverse", initial=True) for kind in ALL),
    *(Net(kind, direction="bidirectional", bias=False) for kind in ALL),
    *(Net(kind, direction="bidirectional", initial=True, lengths=(4, 2)) for kind in ALL),
    *(Net(kind, batch=1, steps=1) for kind in ALL),
    *(Net(kind, outputs=("", "h")) for kind in ALL),
    Net("GRU", attributes={"linear_before_reset": 1}, initial=True),
    Net("GRU", attributes={"linear_before_reset": 1}, direction="bidirectional"),
    Net("LSTM", peephole=True, initial=True, direction="bidirectional"),
    Net("LSTM", attributes={"input_forget": 1}, initial=True),
    Net("LSTM", attributes={"clip": 0.4}),
    Net("LSTM", attributes={"clip": 0.4}, steps=12),
    Net("GRU", attributes={"clip": 0.4}, steps=12),
    Net("LSTM", attributes={"activations": ["HardSigmoid", "Relu", "Softsign"]}),
    Net(
        "GRU", attributes={"activations": ["HardSigmoid", "Relu"], "activation_alpha": [0.3], "activation_beta": [0.4]}
    ),
    Net("RNN", attributes={"activations": ["LeakyRelu"], "activation_alpha": [0.2]}),
    Net("RNN", attributes={"activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.1]}),
]


@pytest.mark.parametrize("net", NETS, ids=[f"{n.kind}-{i}" for i, n in enumerate(NETS)])
def test_unrolled(net: Net) -> None:
    model = ir.serde.deserialize_model(net.model())
    x = np.random.default_rng(3).standard_normal((net.steps, net.batch, 3)).astype(np.float32)
    expected = run(model, x)
    RewritePass("test", [UnrollRecurrent()]).run(model)
    FoldConstants().run(model)
    kinds = [node.op_type for node in model.graph]
    assert net.kind not in kinds
    for name, found in run(model, x).items():
        np.testing.assert_allclose(found, expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [64, 75])
@pytest.mark.parametrize("net", NETS, ids=[f"{n.kind}-{i}" for i, n in enumerate(NETS)])
def test_blocks(net: Net, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full blocks and remaining steps; each sequence of a batch may end in a different block."""
    monkeypatch.setattr(blocks, "LONGEST", 16)
    monkeypatch.setattr(blocks, "_LONGEST_BLOCK", 16)
    net = replace(net, steps=steps, lengths=(steps, 21) if net.lengths else ())
    model = ir.serde.deserialize_model(net.model())
    x = np.random.default_rng(3).standard_normal((net.steps, net.batch, 3)).astype(np.float32)
    expected = run(model, x)
    RewritePass("test", [blocks.RecurrentToBlocks(), UnrollRecurrent()]).run(model)
    FoldConstants().run(model)
    assert "Loop" in [node.op_type for node in model.graph]
    assert net.kind not in [node.op_type for node in all_nodes(model)]
    for name, found in run(model, x).items():
        np.testing.assert_allclose(found, expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("hidden", "steps", "looped"), [(64, 64, False), (64, 65, True), (256, 8, False), (256, 9, True)]
)
def test_blocks_are_for_many_steps_or_large_weights(hidden: int, steps: int, looped: bool) -> None:
    model = ir.serde.deserialize_model(Net("LSTM", steps=steps, batch=1, hidden=hidden).model())
    RewritePass("test", [blocks.RecurrentToBlocks()]).run(model)
    assert ("Loop" in [node.op_type for node in model.graph]) == looped


def test_weights_are_not_repeated_for_each_step() -> None:
    model = ir.serde.deserialize_model(Net("GRU", steps=20, batch=1, initial=True).model())
    RewritePass("test", [UnrollRecurrent()]).run(model)
    FoldConstants().run(model)
    assert sum(v.const_value.size for v in model.graph.initializers.values()) < 400
    products = [node for node in model.graph if node.op_type == "MatMul"]
    assert len(products) == 1 + 2 * 20 - 1  # of the first step, one is of constants alone


def test_very_long_sequences_stay() -> None:
    model = ir.serde.deserialize_model(Net("RNN", steps=LONGEST + 1).model())
    remarks = RewritePass("test", [UnrollRecurrent(), RecurrentToSequenceFirst()]).run(model)
    assert not counted(remarks)
    assert "steps" in only(Missed, remarks)[0].reason
