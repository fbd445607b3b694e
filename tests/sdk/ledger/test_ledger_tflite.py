"""The ledger of TFLite files: edgec's files satisfy it, and each planted violation is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from torch import nn

import edgec
from edgec.backends.tflite.metadata import pack
from edgec.backends.tflite.options import TensorNote, TFLiteMetadata
from edgec.ledger.lint import lint
from edgec.ledger.tflite import quantized
from edgec.ledger.tflite.ledger import ROWS
from edgec.ledger.tflite.runtimes import RUNTIMES, as_numbers, first_runtime, registered
from tests.app_target import write_app_target


class Net(nn.Module):
    """A convolution, a branch on data, a table of labels."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.conv(x)).mean((2, 3))
        y = self.head(y) * 2 if y.sum() > 1 else torch.tanh(self.head(y))
        return y.softmax(-1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("base")
    write_app_target(folder, control_flow="native")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        built = edgec.build(Net().eval(), (torch.rand(1, 3, 8, 8),), "app", out=folder)
    assert not built.failures
    path = built.folder / built.manifest.artifact.path
    assert not lint(path)
    return path.read_bytes()


class Planted:
    """A file to be modified: its unpacked tables; data behind them stays there."""

    def __init__(self, content: bytes) -> None:
        self.model = schema.ModelT.InitFromPackedBuf(content, 0)
        at = content.rfind(b"PK\x03\x04")
        self.behind = content[at:] if at > 0 else b""

    @property
    def graph(self) -> Any:
        return self.model.subgraphs[0]

    def op(self, name: str) -> Any:
        number = getattr(schema.BuiltinOperator, name)
        return next(o for o in self.graph.operators if self.model.operatorCodes[o.opcodeIndex].builtinCode == number)

    def code(self, name: str) -> Any:
        return self.model.operatorCodes[self.op(name).opcodeIndex]

    @property
    def constant(self) -> Any:
        """A constant tensor."""
        return next(t for t in self.graph.tensors if self.model.buffers[t.buffer].data is not None)

    def metadata(self, name: str, content: bytes) -> None:
        entry = next(m for m in self.model.metadata if m.name.decode() == name)
        self.model.buffers[entry.buffer].data = np.frombuffer(content, np.uint8)

    def write(self, path: Path) -> None:
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()) + self.behind)


def describe(p: Planted, note: TensorNote, inputs: int = 1) -> None:
    described = TFLiteMetadata(inputs=(note,))
    p.metadata("TFLITE_METADATA", pack(described, "net", ["x"] * inputs, ["output"]))


def spoil(**values: Any) -> Callable[[Any], None]:
    """Set fields of a table."""

    def change(table: Any) -> None:
        for name, value in values.items():
            setattr(table, name, value)

    return change


def outside(p: Planted) -> None:
    buffer = p.model.buffers[p.constant.buffer]
    buffer.data, buffer.offset, buffer.size = None, 1 << 20, 64


def scales(p: Planted) -> None:
    p.constant.quantization = q = schema.QuantizationParametersT()
    q.scale, q.zeroPoint, q.quantizedDimension = [0.1, 0.2], [0, 0], 7


def backwards(p: Planted) -> None:
    p.graph.operators.reverse()


def orphan(p: Planted) -> None:
    p.model.buffers[p.constant.buffer].data = None


def twice(p: Planted) -> None:
    p.op("SOFTMAX").outputs = list(p.op("CONV_2D").outputs)


def six_dimensions(p: Planted) -> None:
    """A broadcast comparison that crashes older runtimes, in a file that declares 2.14."""
    less, (a, b) = p.op("GREATER"), p.op("GREATER").inputs
    p.graph.tensors[a].shape, p.graph.tensors[b].shape = [1] * 6, [1]
    assert less is not None
    p.metadata("min_runtime_version", b"2.14.0".ljust(16, b"\0"))


def custom(p: Planted) -> None:
    code = p.code("SOFTMAX")
    code.builtinCode = code.deprecatedBuiltinCode = 32
    code.customCode = b"FlexSoftmax"


def operand(p: Planted, name: str, position: int) -> Any:
    """An operand tensor of an operator."""
    return p.graph.tensors[p.op(name).inputs[position]]


def content(p: Planted, tensor: Any, values: list[int]) -> None:
    p.model.buffers[tensor.buffer].data = np.frombuffer(np.array(values, np.int32).tobytes(), np.uint8)


def three_scales(p: Planted) -> None:
    operand(p, "CONV_2D", 0).type = schema.TensorType.INT8
    weights = operand(p, "CONV_2D", 1)
    weights.quantization = schema.QuantizationParametersT()
    weights.quantization.scale, weights.quantization.zeroPoint = [0.1] * 3, [0] * 3


def short_bias(p: Planted) -> None:
    bias = operand(p, "CONV_2D", 2)
    bias.shape = [4]
    content(p, bias, [0] * 4)


PLANTS: dict[str, Callable[[Planted], Any]] = {
    "schema-version": lambda p: spoil(version=2)(p.model),
    "subgraph-some": lambda p: spoil(subgraphs=[])(p.model),
    "buffer-zero": lambda p: spoil(data=np.ones(4, np.uint8))(p.model.buffers[0]),
    "buffer-number": lambda p: spoil(buffer=999)(p.constant),
    "buffer-place": outside,
    "constant-size": lambda p: spoil(shape=[7, 3])(p.constant),
    "tensor-type": lambda p: spoil(type=99)(p.constant),
    "tensor-shape": lambda p: spoil(shape=[-1, 3])(p.graph.tensors[0]),
    "quantization": scales,
    "variable-content": lambda p: spoil(isVariable=True)(p.constant),
    "operator-code": lambda p: spoil(opcodeIndex=99)(p.op("CONV_2D")),
    "operator-tensors": lambda p: spoil(inputs=[0, 999, 1])(p.op("CONV_2D")),
    "operator-order": backwards,
    "tensor-data": orphan,
    "tensor-once": twice,
    "interface-tensors": lambda p: spoil(outputs=[])(p.graph),
    "signature-tensors": lambda p: spoil(tensorIndex=3)(p.model.signatureDefs[0].outputs[0]),
    "control-flow": lambda p: spoil(thenSubgraphIndex=0)(p.op("IF").builtinOptions),
    "builtin-known": lambda p: spoil(builtinCode=999, deprecatedBuiltinCode=127)(p.code("SOFTMAX")),
    "builtin-version": lambda p: spoil(version=99)(p.code("SOFTMAX")),
    "builtin-deprecated": lambda p: spoil(deprecatedBuiltinCode=0)(p.code("SOFTMAX")),
    "runtime-promised": six_dimensions,
    "options-kind": lambda p: spoil(builtinOptionsType=schema.BuiltinOptions.AddOptions)(p.op("CONV_2D")),
    "kernel-rank": lambda p: spoil(shape=[3, 8, 8])(p.graph.tensors[p.op("CONV_2D").inputs[0]]),
    "kernel-inputs": lambda p: spoil(inputs=list(p.op("SOFTMAX").inputs) * 2)(p.op("SOFTMAX")),
    "kernel-type": lambda p: spoil(type=schema.TensorType.INT64)(p.graph.tensors[p.op("CONV_2D").inputs[0]]),
    "kernel-one-type": lambda p: spoil(type=schema.TensorType.INT32)(operand(p, "GREATER", 1)),
    "kernel-bias": short_bias,
    "kernel-scales": three_scales,
    "kernel-permutation": lambda p: content(p, operand(p, "TRANSPOSE", 1), [0, 2, 2, 1]),
    "kernel-paddings": lambda p: spoil(builtinCode=34, deprecatedBuiltinCode=34)(p.code("TRANSPOSE")),
    "options-step": lambda p: spoil(strideW=0)(p.op("CONV_2D").builtinOptions),
    "flex": custom,
    "metadata-buffer": lambda p: spoil(buffer=999)(p.model.metadata[0]),
    "metadata-identifier": lambda p: p.metadata("TFLITE_METADATA", b"\0\0\0\0M009" + bytes(32)),
    "metadata-counts": lambda p: describe(p, TensorNote("x"), inputs=2),
    "metadata-normalization": lambda p: describe(p, TensorNote("x", mean=(1.0, 2.0), std=(1.0, 2.0))),
    "metadata-files": lambda p: spoil(behind=b"")(p),
    "metadata-one-normalization": lambda p: describe(p, TensorNote("x", mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 1.0))),
}


FLOAT = [row.label for row in ROWS if row not in quantized.ROWS]
"""Requirements on any file; those on integers have files of their own (tests/sdk/quantization)."""


@pytest.mark.parametrize("label", FLOAT)
def test_a_planted_violation_is_found(label: str, base: bytes, tmp_path: Path) -> None:
    planted, path = Planted(base), tmp_path / "spoilt.tflite"
    planted.write(path)
    assert not lint(path)
    PLANTS[label](planted)
    planted.write(path)
    assert label in {found.label for found in lint(path)}, [f.label for f in lint(path)]


def test_every_row_is_planted() -> None:
    assert PLANTS.keys() == set(FLOAT)
    assert len(ROWS) == len({row.label for row in ROWS})


def test_what_runtimes_have_registered_only_grows() -> None:
    assert all(len(versions) == len(RUNTIMES) for versions in registered().values())
    assert all(list(versions) == sorted(versions) for versions in registered().values())
    assert registered()["GATHER_ND"][0] == 4  # bool came with version 5


@pytest.mark.parametrize(
    ("op", "dtype", "rank", "release"),
    [
        ("GATHER_ND", "bool", 2, "2.16"),
        ("GATHER_ND", "float32", 2, "1.14"),
        ("SLICE", "float32", 5, "1.14"),
        ("SLICE", "float32", 6, "2.18"),
        ("SLICE", "int32", 6, "2.21"),
        ("SLICE", "bool", 5, "1.14"),
        ("PAD", "float32", 6, "2.18"),
        ("LESS", "int64", 5, "2.21"),
        ("MUL", "float32", 6, "2.6"),
        ("MUL", "int32", 5, "2.18"),
        ("STABLEHLO_AND", "int32", 1, "2.19"),
    ],
)
def test_the_first_runtime_of_a_form(op: str, dtype: str, rank: int, release: str) -> None:
    places = ["int32"] if op in ("SLICE", "PAD") else []
    assert first_runtime(op, [dtype, *places], rank) == release
    assert as_numbers("2.9.0") < as_numbers("2.14")
