"""Every system version gets its newest operations, with the same results everywhere."""

from pathlib import Path

import pytest
import torch

import edgec
from edgec.runners.mil.runner import MilRunner

SYSTEMS = ("iOS15", "iOS16", "iOS17", "iOS18")


class Attends(torch.nn.Module):
    """Self-attention with a causal mask, followed by an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = torch.nn.Linear(32, 96)
        self.lstm = torch.nn.LSTM(32, 16, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (t.unflatten(-1, (4, 8)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.lstm(y.transpose(1, 2).flatten(2))[0]


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_system_gets_what_it_has(system: str, tmp_path: Path) -> None:
    settings = (f"options.minimum_deployment_target={system}",)
    built = edgec.build(Attends().eval(), (torch.randn(1, 6, 32),), target="iphone", out=tmp_path, settings=settings)
    assert built.manifest.accuracy.status == "passed", built.failures
    ops = built.manifest.graph.ops
    assert ops["lstm"] == 1
    assert ("scaled_dot_product_attention" in ops) == (system == "iOS18")
    before_half_lstm = any(k.op == "LSTM" for k in built.manifest.float32)
    assert before_half_lstm == (system in ("iOS15", "iOS16"))


@pytest.mark.parametrize(("system", "dtype"), [("iOS15", "float32"), ("iOS16", "float16")])
def test_a_float16_interface_begins_with_ios_16(system: str, dtype: str, tmp_path: Path) -> None:
    settings = (f"options.minimum_deployment_target={system}", "numerics.compute=float32")
    module, x = torch.nn.ReLU(), torch.randn(2, 8).half()
    built = edgec.build(module, (x,), target="iphone", out=tmp_path, settings=settings)
    assert built.manifest.accuracy.status == "passed", built.failures
    with MilRunner(built.folder / built.manifest.artifact.path) as runner:
        assert {f.dtype for f in runner.inputs} == {dtype}
        assert {f.dtype for f in runner.outputs} == {"float32"}
