"""Weights, inputs, outputs and values with equal names in an exported graph: each keeps its own value."""

from pathlib import Path

import pytest
import torch
from torch import nn

from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.ir.states import states
from edgec.runners.onnxruntime import OnnxRuntimeRunner


class Normalized(nn.Module):
    """Buffers named like the operators `mean` and `add`."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([1.0, 2.0]))
        self.register_buffer("add", torch.tensor([3.0, 4.0]))

    def forward(self, x):
        return torch.mean((x - self.mean) * 3, 0) + self.add


class Scaled(nn.Module):
    """Weights named like the input, and like the default name of the output."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([2.0, 3.0]))
        self.output = nn.Parameter(torch.tensor([5.0, 7.0]))

    def forward(self, scale):
        return scale * self.scale + self.output


class Keyed(nn.Module):
    """A weight named like a key of the outputs, and keys that equal the replacement names of inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.y = nn.Parameter(torch.tensor([2.0, 3.0]))

    def forward(self, x):
        return {"y": x.mean(0) + self.y, "x": x * self.y, "x_out": x - 1}


class Updated(nn.Module):
    """Buffers updated in place, one named like an operator."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))

    def forward(self, x):
        self.mean.mul_(0.9).add_(x.mean(0))
        return x - self.mean


def prepared(module: nn.Module):
    x = torch.tensor([[0.5, -1.0], [2.0, 0.25]])
    request = ExportRequest("net", SourceId("python", "net.py:net", "0"), module.eval(), (x,))
    return prepare_imported(export_module(request), BuildOptions(out=Path("unused")), lambda _: None)


@pytest.mark.parametrize(
    ("module", "outputs"), [(Normalized, ["output"]), (Scaled, ["output"]), (Keyed, ["y", "x_out", "x_out_out"])]
)
def test_each_keeps_its_value(module, outputs):
    found = prepared(module())
    assert [v.name for v in found.model.graph.outputs] == outputs
    sample = found.samples[0]
    with OnnxRuntimeRunner(found.model) as runner:
        for name, value in runner.run(sample.inputs).items():
            torch.testing.assert_close(torch.from_numpy(value), torch.from_numpy(sample.expected[name]))


def test_a_state_has_its_buffers_name():
    (state,) = states(prepared(Updated()).model)
    assert (state.input, state.output) == ("mean", "mean_out")
