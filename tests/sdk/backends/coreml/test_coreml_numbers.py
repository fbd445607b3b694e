"""Cases where float16 and int32 would silently change the results."""

from pathlib import Path

import numpy as np
import pytest
import torch

import edgec
from edgec.diag import EdgecError
from edgec.runners.mil.runner import MilRunner


class Norm(torch.nn.Module):
    """Squares overflow float16 from 256 on; the root is in range."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.vector_norm(x, dim=-1)


class Stable(torch.nn.Module):
    """softplus, logsumexp and log_softmax at arguments where float16 loses precision."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = torch.nn.functional.softplus(x)
        return a + torch.logsumexp(x, -1, keepdim=True) + torch.log_softmax(x, -1)


class Shift(torch.nn.Module):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return ids + 1


class Wide(torch.nn.Module):
    """The hidden layer reaches a million, and so does its softplus; the output is small again."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = torch.nn.Linear(16, 32), torch.nn.Linear(32, 4)
        with torch.no_grad():
            self.up.weight.mul_(1e6)
            self.down.weight.mul_(1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(torch.nn.functional.softplus(self.up(x)).reshape(-1, 32)) + 1


class Unit(torch.nn.Module):
    """0 / max(0, 1e-12) is 0; it is NaN if 1e-12 becomes 0."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(x, dim=0) + x


class Positions(torch.nn.Module):
    """In float16, an angle of 500 has a precision of a quarter."""

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        return torch.sin(t[:, None] * torch.tensor([1.0, 0.37, 0.011]))


class Mish(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.mish(x) + torch.nn.functional.hardswish(x)


class Small(torch.nn.Module):
    """A divisor with only two digits in float16."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / (x.abs() * 1e-6 + 1e-7) * 1e-6


class Angle(torch.nn.Module):
    """An arc cosine is steep near 1: float16's last digit there is a tenth of the angle."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(64, 64)
        with torch.no_grad():
            self.layer.weight.copy_(torch.eye(64))
            self.layer.bias.fill_(3.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.acos(torch.tanh(self.layer(x)))


class Ranking(torch.nn.Module):
    """The order of a thousand scores, in which those of a hidden layer in float16 change places."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.topk(self.layers(x), 300).indices


@pytest.mark.parametrize(
    ("module", "x", "kept"),
    [
        (Angle(), torch.linspace(-1, 1, 64)[None], "operators"),
        (Ranking(), torch.linspace(-2, 2, 64)[None], "everything"),
    ],
)
def test_where_float16_misses_the_accuracy_more_stays_in_float32(
    module: torch.nn.Module, x: torch.Tensor, kept: str, tmp_path: Path
) -> None:
    built = edgec.build(module.eval(), (x,), target="iphone", out=tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures
    (told,) = built.told
    assert told.code == "E0607"
    assert kept in told.message
    assert sorted(p.name for p in built.folder.iterdir()) == [f"{built.manifest.name}.mlpackage", "manifest.json"]
    asked = edgec.build(module, (x,), target="iphone", out=tmp_path, settings=["numerics.float32=ranges"])
    assert asked.manifest.accuracy.status == "failed"


@pytest.mark.parametrize(
    ("module", "x", "evidence"),
    [
        (Wide(), torch.randn(4, 16), "reaches"),
        (Unit(), torch.zeros(2, 8), "goes down to 1e-12"),
        (Positions(), torch.arange(0.0, 500.0, 7.7), "angles reach"),
        (torch.nn.LayerNorm(16, eps=1e-12), torch.randn(4, 16) * 1e-3, "has variances down to"),
        (Small(), torch.rand(4, 8) + 0.5, "below float16's normal numbers"),
    ],
)
def test_what_the_samples_show_stays_in_float32(
    module: torch.nn.Module, x: torch.Tensor, evidence: str, tmp_path: Path
) -> None:
    built = edgec.build(module.eval(), (x,), target="iphone", out=tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures
    assert any(evidence in kept.evidence for kept in built.manifest.float32), built.manifest.float32


def test_a_row_of_equal_numbers_is_no_nan(tmp_path: Path) -> None:
    x = torch.randn(4, 16)
    x[1] = 0.25
    module = torch.nn.Sequential(torch.nn.Conv1d(4, 4, 1, groups=4), torch.nn.LayerNorm(16, eps=1e-12))
    built = edgec.build(module.eval(), (x,), target="iphone", out=tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures
    assert built.manifest.float32 == ()


def test_a_harmless_model_has_no_islands(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.LayerNorm(8), torch.nn.GELU())
    built = edgec.build(module.eval(), (torch.randn(2, 8),), target="iphone", out=tmp_path)
    assert built.manifest.accuracy.status == "passed"
    assert built.manifest.float32 == ()


@pytest.mark.parametrize(
    ("module", "x"),
    [
        (Mish(), torch.randn(4, 16) * 12),
        (Norm(), torch.randn(4, 16) * 300),
        (Stable(), torch.randn(4, 16) * 12),
        (Stable(), -torch.rand(2, 8) * 40),
    ],
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


class Hashes(torch.nn.Module):
    """Integers that exceed 32 bits in between, but not in the result."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return (ids * self.factor) % 1013


def test_integers_beyond_32_bits_are_refused(tmp_path: Path) -> None:
    """If they wrapped around, the results would be silently wrong."""
    inputs = (torch.arange(100_000, 100_008),)
    with pytest.raises(EdgecError) as refused:
        edgec.build(Hashes(99_991), inputs, target="iphone", out=tmp_path)
    (told,) = refused.value.diagnostics
    assert told.code == "E0401"
    assert "`Mul`" in told.message
    assert any("integer-beyond-int32" in note for note in told.notes)
    assert told.place is not None
    assert told.place.line is not None
    built = edgec.build(Hashes(91), inputs, target="iphone", out=tmp_path)
    assert built.manifest.accuracy.status == "passed"


class Picture(torch.nn.Module):
    """Energies of a layer: in float16's range for the example, but not for pixels."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(8, 2, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        response = self.first(image)
        return self.second(response * response).mean((2, 3))


def test_a_declared_range_is_what_the_artifact_is_made_for(tmp_path: Path) -> None:
    module, x = Picture().eval(), torch.randn(1, 3, 18, 18)
    plain = edgec.build(module, (x,), target="iphone", out=tmp_path / "plain")
    assert [d.code for d in plain.told] == ["E0218"]
    assert plain.manifest.float32 == ()
    built = edgec.build(module, (x,), target="iphone", out=tmp_path / "ranged", ranges=["image=0..255"])
    assert built.manifest.accuracy.status == "passed", built.failures
    assert built.told == ()
    assert any("reaches" in kept.evidence for kept in built.manifest.float32)
    (found,) = built.manifest.ranges
    assert (found.low, found.high, found.origin, found.shown) == (0, 255, "request", 255)
    image = torch.rand(1, 3, 18, 18) * 255
    with MilRunner(built.folder / built.manifest.artifact.path, "float16") as runner, torch.no_grad():
        output = runner.run({"image": image.numpy()})["output"]
        np.testing.assert_allclose(output, module(image).numpy(), rtol=2e-3)


class Levels(torch.nn.Module):
    """A byte, for which the example contains only 0 and 1."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        response = self.layer(x.float())
        return self.layer(response * response)


def test_a_byte_may_be_any_byte(tmp_path: Path) -> None:
    x = torch.tensor([[0, 1, 0, 1, 1, 0, 0, 1]], dtype=torch.uint8)
    built = edgec.build(Levels().eval(), (x,), target="iphone", out=tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures
    (found,) = built.manifest.ranges
    assert (found.low, found.high, found.origin, found.shown) == (0, 255, "type", 255)
    assert built.told == ()


class Squares(torch.nn.Module):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return (ids * ids).sum(-1)


def test_whole_numbers_go_by_their_range(tmp_path: Path) -> None:
    inputs = (torch.arange(6)[None],)
    (told,) = edgec.build(Squares(), inputs, target="iphone", out=tmp_path).told
    assert told.code == "E0218"
    assert "beyond 16383 `ReduceSum`" in told.notes[0]
    assert edgec.build(Squares(), inputs, target="iphone", out=tmp_path, ranges=["ids=0..1000"]).told == ()
    with pytest.raises(EdgecError, match="2147483647") as caught:
        edgec.build(Squares(), inputs, target="iphone", out=tmp_path, ranges=["ids=0..100000"])
    assert {d.code for d in caught.value.diagnostics} == {"E0401"}


class PickedNumbers(torch.nn.Module):
    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """(3,) and ()."""
        pair = torch.stack([t, t * 2])
        return torch.nn.functional.gelu(pair[0]) * x + pair[1]


def test_numbers_that_are_stacked_and_picked(tmp_path: Path) -> None:
    assert not edgec.build(PickedNumbers(), (torch.randn(3), torch.tensor(0.7)), target="iphone", out=tmp_path).failures
