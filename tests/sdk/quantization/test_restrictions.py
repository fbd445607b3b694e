"""The quantization specification: edgec's integer files satisfy it, and each planted violation is found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import edgec
from edgec.ledger.lint import lint
from edgec.ledger.tflite import quantized
from tests.sdk.ledger.test_ledger_tflite import Planted, operand


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.depthwise = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8)
        self.up, self.head = nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.depthwise(torch.sigmoid(self.conv(x))))
        y = self.head(torch.cat([self.up(y), torch.tanh(self.up(y))], 2).mean((2, 3)))
        return y.softmax(-1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("integers")
    built = edgec.build(Net().eval(), (torch.rand(1, 3, 9, 9),), target="android-int8", out=folder, name="m")
    path = built.folder / built.manifest.artifact.path
    assert not built.failures
    assert not lint(path)
    return path.read_bytes()


def scaled(tensor: Any, factor: float) -> None:
    tensor.quantization.scale = np.asarray(tensor.quantization.scale, np.float32) * np.float32(factor)


def shifted(tensor: Any) -> None:
    tensor.quantization.zeroPoint = np.asarray(tensor.quantization.zeroPoint, np.int64) + 1


def lowest_weight(p: Planted) -> None:
    buffer = p.model.buffers[operand(p, "CONV_2D", 1).buffer]
    buffer.data = np.array(buffer.data, np.uint8)
    buffer.data[0] = 0x80


def turned(p: Planted) -> None:
    """Eight input channels and eight output channels: the runtime does not see that the dimension is wrong."""
    operand(p, "DEPTHWISE_CONV_2D", 1).quantization.quantizedDimension = 0


PLANTS: dict[str, list[Callable[[Planted], Any]]] = {
    "integer-weights": [lowest_weight, lambda p: shifted(operand(p, "FULLY_CONNECTED", 1))],
    "integer-axes": [turned],
    "integer-biases": [
        lambda p: scaled(operand(p, "CONV_2D", 2), 1.01),
        lambda p: shifted(operand(p, "TRANSPOSE_CONV", 3)),
        lambda p: scaled(operand(p, "FULLY_CONNECTED", 1), 2.0),
    ],
    "integer-ranges": [
        lambda p: scaled(p.graph.tensors[p.op("LOGISTIC").outputs[0]], 1.1),
        lambda p: shifted(p.graph.tensors[p.op("TANH").outputs[0]]),
        lambda p: shifted(p.graph.tensors[p.op("SOFTMAX").outputs[0]]),
    ],
    "integer-scales": [lambda p: scaled(p.graph.tensors[p.op("CONCATENATION").outputs[0]], 1.5)],
}


@pytest.mark.parametrize(("label", "number"), [(label, i) for label, many in PLANTS.items() for i in range(len(many))])
def test_a_planted_violation_is_found(label: str, number: int, base: bytes, tmp_path: Path) -> None:
    planted, path = Planted(base), tmp_path / "spoilt.tflite"
    PLANTS[label][number](planted)
    planted.write(path)
    assert label in {found.label for found in lint(path)}


def test_every_row_is_planted() -> None:
    assert PLANTS.keys() == {row.label for row in quantized.ROWS}
