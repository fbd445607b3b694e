"""Decisions on a module's constant flags are made in Python; decisions on values that it changes depend on data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import edgec
from edgec.runners.litert import LiteRTRunner


class ActNorm(torch.nn.Module):
    """Initializes its scale from the first batch, and records that in a buffer (Kingma and Dhariwal, "Glow", 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.shift, self.scale = (torch.nn.Parameter(torch.zeros(1, 4)) for _ in range(2))
        self.register_buffer("initialized", torch.tensor(0, dtype=torch.uint8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.initialized.item() == 0:
            with torch.no_grad():
                self.shift.data.copy_(-x.mean(0, keepdim=True))
                self.scale.data.copy_(1 / (x.std(0, keepdim=True) + 1e-6))
            self.initialized.fill_(1)
        return self.scale * (x + self.shift)


class Shapes(torch.nn.Module):
    """Sides whose results differ in shape, selected by flags and by values computed from them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pooled", torch.tensor(False))
        self.register_buffer("count", torch.tensor([5, 7]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.pooled:
            x = x.mean(1)
        top = self.count.clone()
        top.add_(1)
        if not self.count.sum() > 12 and x.sum() > 0:
            x = -x
        return x[:, : int(self.count[0]) - 3] if not self.count.max() > 7 else x.sum()


class Padded(torch.nn.Module):
    """Kernel, stride and padding are buffers, as in EnCodec: the padding is computed from them and the length."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv1d(1, 3, 7, 4)
        for name, value in {"stride": 4, "kernel": 7, "total": 3}.items():
            self.register_buffer(name, torch.tensor(value), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        length = x.shape[-1]
        frames = torch.ceil((length - self.kernel + self.total) / self.stride + 1).to(torch.int64) - 1
        extra = frames * self.stride + self.kernel - self.total - length
        left = self.total - self.total // 2
        padded = torch.nn.functional.pad(x[:, None], (left, max(self.total // 2 + extra, left * 0)), "reflect")
        y = self.conv(padded)[..., : frames - 1]
        return y + torch.arange(self.kernel - 6).expand(3, self.total - 2) + torch.zeros(frames - 1)


class Warming(torch.nn.Module):
    """Reads a counter before incrementing it, which makes it data."""

    how = "in place"

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * 2 if self.calls > 1 else x
        if self.how == "in place":
            self.calls += 1
        elif self.how == "by a view":
            self.calls.view(1)[0] += 1
        else:
            self.calls = self.calls + 1
        return y


def initialized() -> ActNorm:
    module = ActNorm().eval()
    module(torch.randn(8, 4) * 3 + 1)
    return module


@pytest.mark.parametrize("make", [initialized, Shapes, Padded], ids=["ActNorm", "Shapes", "Padded"])
def test_flags_decide_for_good(make: type[torch.nn.Module], tmp_path: Path) -> None:
    module, x = make().eval(), torch.randn(3, 17 if make is Padded else 4)
    built = edgec.build(module, (x,), target="android", out=tmp_path)
    assert not built.failures
    assert [i.name for i in built.manifest.inputs] == ["x"]
    for sample in (x, -x):
        with LiteRTRunner(next(tmp_path.rglob("*.tflite"))) as artifact:
            (found,) = artifact.run({"x": sample.numpy()}).values()
        np.testing.assert_allclose(found, module(sample).detach().numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("how", ["in place", "by a view", "assigned"])
def test_a_counter_is_data(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Warming, "how", how)
    built = edgec.build(Warming().eval(), (torch.randn(3, 4),), target="android", out=tmp_path)
    assert not built.failures
    assert [(s.input, s.output) for s in built.manifest.states] == [("calls", "calls_out")]
    module, calls = Warming().eval(), np.asarray(0, np.int64)
    with LiteRTRunner(next(tmp_path.rglob("*.tflite"))) as artifact:
        for _ in range(4):
            x = torch.randn(3, 4)
            results = artifact.run({"x": x.numpy(), "calls": calls})
            calls = results.pop("calls_out")
            (found,) = results.values()
            np.testing.assert_allclose(found, module(x).numpy(), rtol=1e-6)
