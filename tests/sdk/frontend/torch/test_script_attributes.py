"""Attributes assigned in a scripted forward: states, values within one call, or refused with their line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import edgec
from edgec.diag import EdgecError
from edgec.runners.litert import LiteRTRunner


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.h = torch.zeros(4)
        self.mean = torch.ones(4)
        self.register_buffer("b", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        y = x + self.h + self.b
        self.h = x * 0.5
        self.b = self.b + x.sum()
        self.mean.mul_(0.5).add_(x)
        return y - self.mean


class Setting(nn.Module):
    count: int

    def __init__(self):
        super().__init__()
        self.h, self.last, self.count = torch.zeros(4), torch.zeros(1), 0
        self.inner, self.ones = Inner(), torch.ones(4)

    def forward(self, x: Tensor) -> Tensor:
        self.count = 2
        if bool(x.sum() > 0):
            self.h = self.h + x
            self.last = x * 2
        else:
            self.last = x * 3
        for _ in range(self.count):
            self.h = self.h * 0.5 + self.ones
        return self.inner(x) + self.h + self.last


def test_tensors_that_are_read_before_they_are_set_are_states(tmp_path: Path) -> None:
    script = torch.jit.script(Setting().eval())
    built = edgec.build(script, (torch.randn(4),), target="android", out=tmp_path, name="m")
    assert not built.failures
    held = {s.input: s.output for s in built.manifest.states}
    assert set(held) == {"weights_h", "weights_inner_h", "weights_inner_b", "weights_inner_mean"}
    module = Setting().eval()
    values = {name: np.zeros(4, np.float32) for name in held} | {"weights_inner_mean": np.ones(4, np.float32)}
    with LiteRTRunner(next(tmp_path.rglob("*.tflite"))) as runner, torch.no_grad():
        for scale in (1.0, -1.0, 2.0):
            x = torch.randn(4) * scale
            results = runner.run({"x": x.numpy(), **values})
            np.testing.assert_allclose(results["output"], module(x).numpy(), rtol=1e-5, atol=1e-5)
            values = {name: results[output] for name, output in held.items()}


class Counting(nn.Module):
    n: int

    def __init__(self):
        super().__init__()
        self.n = 0

    def forward(self, x: Tensor) -> Tensor:
        self.n = self.n + 1  # here
        return x * self.n


class Listing(nn.Module):
    def __init__(self):
        super().__init__()
        self.cache = [torch.zeros(4)]

    def forward(self, x: Tensor) -> Tensor:
        y = x + self.cache[0]
        self.cache[0] = y  # here
        return y


@pytest.mark.parametrize(("kind", "label"), [(Counting, "number"), (Listing, "container")])
def test_what_no_state_can_be_made_of_is_refused(kind: type[nn.Module], label: str, tmp_path: Path) -> None:
    with pytest.raises(EdgecError) as caught:
        edgec.build(torch.jit.script(kind().eval()), (torch.randn(4),), target="android", out=tmp_path)
    (found,) = caught.value.diagnostics
    assert (found.code, found.notes[-1]) == ("E0219", f"rejected by `memory-{label}`")
    assert found.place is not None
    assert found.place.file == __file__
    assert "# here" in Path(__file__).read_text().splitlines()[(found.place.line or 0) - 1]


def test_an_exported_program_in_memory(tmp_path: Path) -> None:
    program = torch.export.export(nn.Linear(4, 2).eval(), (torch.randn(1, 4),))
    assert not edgec.build(program, (torch.randn(1, 4),), target="rtx", out=tmp_path, name="p").failures
