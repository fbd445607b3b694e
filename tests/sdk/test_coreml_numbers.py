"""Where float16 and int32 would change the numbers silently."""

from pathlib import Path

import numpy as np
import pytest
import torch

import edgec
from edgec.diag import EdgecError
from edgec.runners.mil.runner import MilRunner


class Norm(torch.nn.Module):
    """Squares overflow float16 from 256 on; the root fits."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.vector_norm(x, dim=-1)


class Stable(torch.nn.Module):
    """softplus, logsumexp and log_softmax at arguments where float16 loses them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = torch.nn.functional.softplus(x)
        return a + torch.logsumexp(x, -1, keepdim=True) + torch.log_softmax(x, -1)


class Shift(torch.nn.Module):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return ids + 1


@pytest.mark.parametrize(
    ("module", "x"),
    [(Norm(), torch.randn(4, 16) * 300), (Stable(), torch.randn(4, 16) * 12), (Stable(), -torch.rand(2, 8) * 40)],
)
def test_float16_keeps_its_range(module: torch.nn.Module, x: torch.Tensor, tmp_path: Path) -> None:
    built = edgec.build(module, (x,), target="iphone", out=tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures


def test_integers_beyond_32_bits_are_refused_not_wrapped(tmp_path: Path) -> None:
    built = edgec.build(Shift(), (torch.arange(4),), target="iphone", out=tmp_path)
    path = built.folder / built.manifest.artifact.path
    with MilRunner(path, "float16") as runner:
        name = runner.inputs[0].name
        assert np.array_equal(runner.run({name: np.arange(4)})["output"], np.arange(1, 5))
        with pytest.raises(EdgecError) as caught:
            runner.run({name: np.array([2**40, 0, 0, 0])})
    assert caught.value.diagnostics[0].code == "E0107"


def test_a_constant_beyond_32_bits_is_refused(tmp_path: Path) -> None:
    class Far(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("offset", torch.tensor([2**40]))

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return ids + self.offset

    with pytest.raises(EdgecError) as caught:
        edgec.build(Far(), (torch.arange(4),), target="iphone", out=tmp_path)
    assert caught.value.diagnostics[0].code == "E0401"
