"""What float16 would silently lose: it is found, kept in float32 or rewritten, listed with its evidence, and right."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import edgec
from edgec.compiler.build import Built
from edgec.runners.open import open_runner


class Function(torch.nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def masked_softmax(x: torch.Tensor) -> torch.Tensor:
    mask = torch.ones(16, 16, dtype=torch.bool).tril()
    return torch.softmax(x.masked_fill(~mask, float("-inf")), -1)


def masked_lowest(x: torch.Tensor) -> torch.Tensor:
    mask = torch.ones(16, 16, dtype=torch.bool).tril()
    return torch.softmax(x + torch.where(mask, 0.0, torch.finfo(torch.float32).min), -1)


def rms(x: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


def written(x: torch.Tensor) -> torch.Tensor:
    changed = x.clone()
    changed[:, :2] = x[:, :2].tanh()
    return changed.tanh()


ROWS = torch.linspace(-14, 14, 64).reshape(4, 16)
TABLE = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
BESIDE_STEPS = torch.cat([torch.arange(1, 8) / 3 + 1e-4, torch.arange(1, 8) / 3 - 1e-4])

LOST = {
    "softplus": (F.softplus, ROWS, "computes on inputs"),
    "exp-sum": (lambda x: torch.exp(x) / torch.exp(x).sum(-1, keepdim=True), ROWS, "exponentials overflow"),
    "log-sum-exp": (lambda x: torch.log(torch.exp(x).sum(-1)), ROWS, "exponentials overflow"),
    "variance": (lambda x: x.var(-1), torch.randn(4, 64) * 300, "squares overflow|reaches"),
    "deviation": (lambda x: x.std(-1) / 100, torch.randn(4, 64) * 300, "squares overflow|reaches"),
    "long-sum": (lambda x: x.sum(-1) / 2**15, torch.rand(2, 2**16), "long sums|reaches"),
    "running-sum": (lambda x: x.cumsum(-1) / 2**12, torch.rand(2, 2**12), "long sums"),
    "product": (lambda x: x.prod(-1), torch.rand(4, 64) + 0.8, "products overflow"),
    "squares": (lambda x: (x * x).sum(-1).sqrt(), torch.randn(4, 64) * 300, "reaches|long sums"),
    "rms-epsilon": (rms, torch.randn(4, 32) * 1e-3, "computes on inputs|below float16's normal numbers"),
    "row": (lambda x: TABLE[(x * 3).long()], BESIDE_STEPS, "computes on inputs"),
    "row-by-what-is-written": (
        lambda x: TABLE[(written(torch.log_softmax(x, -1)).abs() * 9).long()],
        torch.randn(4, 64, generator=torch.Generator().manual_seed(0)),
        "computes on inputs",
    ),
    "small-divisor": (F.normalize, torch.randn(4, 32) * 1e-6, "below float16's normal numbers"),
}
"""A function, inputs for which plain float16 gives a wrong result, and a part of the evidence."""


def made(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, folder: Path) -> Built:
    return edgec.build(Function(function).eval(), (x,), target="iphone", out=folder)


@pytest.mark.parametrize("name", LOST)
def test_what_float16_loses_stays_in_float32_with_its_evidence(name: str, tmp_path: Path) -> None:
    function, x, evidence = LOST[name]
    torch.manual_seed(0)
    built = made(function, x, tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures
    found = " ".join(kept.evidence for kept in built.manifest.float32)
    assert any(part in found for part in evidence.split("|")), found


class Picks(torch.nn.Module):
    """The maximum among rows that are nearly equal, behind layers; the maximum among rows that are not."""

    def __init__(self, apart: float) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 8))
        self.register_buffer("bonus", torch.arange(8.0) * apart)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores = self.layers(x).mean(-1, keepdim=True) + self.bonus
        return scores, scores.argmax(-1)


@pytest.mark.parametrize(("apart", "codes"), [(2e-4, ["E0613"]), (1.0, [])])
def test_decisions_that_float16_may_turn_are_told(apart: float, codes: list[str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    built = edgec.build(Picks(apart).eval(), (torch.randn(4, 8),), target="iphone", out=tmp_path)
    assert [d.code for d in built.told if d.code == "E0613"] == codes
    if codes:
        (told,) = (d for d in built.told if d.code == "E0613")
        assert "ArgMax" in told.notes[0]
        assert Path(__file__).name in told.notes[0]


@pytest.mark.parametrize("choose", [torch.argmax, torch.argmin, lambda x, dim: x.topk(1, dim).indices])
def test_a_choice_of_one_is_no_decision(choose: Callable[..., torch.Tensor], tmp_path: Path) -> None:
    class One(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(8, 1)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            scores = self.layer(x)
            return scores, choose(scores, -1)

    built = edgec.build(One().eval(), (torch.randn(4, 8),), target="iphone", out=tmp_path)
    assert [d.code for d in built.told if d.code == "E0613"] == []


STABLE = {
    "logsumexp": (lambda x: torch.logsumexp(x, -1), ROWS * 3),
    "log-softmax": (lambda x: torch.log_softmax(x, -1), ROWS * 3),
    "softmax": (lambda x: torch.softmax(x, -1), ROWS * 30),
    "mish": (F.mish, ROWS * 2),
    "hard-swish": (F.hardswish, ROWS * 2),
    "gelu-tanh": (lambda x: F.gelu(x, approximate="tanh"), ROWS * 4),
    "silu": (F.silu, ROWS * 4),
    "mask-infinite": (masked_softmax, torch.randn(2, 16, 16)),
    "mask-lowest": (masked_lowest, torch.randn(2, 16, 16)),
}
"""Functions that are right in any precision."""


@pytest.mark.parametrize("name", STABLE)
def test_stable_forms_keep_the_numbers(name: str, tmp_path: Path) -> None:
    function, x = STABLE[name]
    torch.manual_seed(0)
    built = made(function, x, tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures
    assert np.isfinite(built.manifest.accuracy.max_abs)


def z_score(x: torch.Tensor) -> torch.Tensor:
    return (x - x.mean((1, 2, 3), keepdim=True)) / (x.std((1, 2, 3), keepdim=True) + 1e-5)


def channel_norm(x: torch.Tensor) -> torch.Tensor:
    centred = x - x.mean(1, keepdim=True)
    return centred / torch.sqrt(centred.pow(2).mean(1, keepdim=True) + 1e-6)


def overlaps(x: torch.Tensor) -> torch.Tensor:
    low, high = x[0, 0].abs(), x[0, 0].abs() + x[0, 1].abs() + 0.1
    area = (high - low).prod(-1)
    both = (torch.minimum(high[:, None], high) - torch.maximum(low[:, None], low)).clamp(min=0).prod(-1)
    return both / (area[:, None] + area - both + 1e-7)


def spectrogram(x: torch.Tensor) -> torch.Tensor:
    parts = torch.stft(x.flatten(), 16, 4, window=torch.hann_window(16), return_complex=True)
    return (parts.abs() ** 2 + 1e-6).log10()


def fourier(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([(x * 2**k * torch.pi).sin() for k in range(6)], -1)


BEYOND = {
    "z-score": z_score,
    "deviation": lambda x: (x.var(1), x.flatten(1).std(1)),
    "rms": rms,
    "l2": lambda x: x / (x.pow(2).sum(-1, keepdim=True).sqrt() + 1e-8),
    "channels": channel_norm,
    "neighbours": lambda x: F.local_response_norm(x, 3),
    "power-pool": lambda x: F.lp_pool2d(x, 2, 2),
    "softmax": lambda x: torch.softmax(x, -1),
    "overlaps": overlaps,
    "spectrogram": spectrogram,
    "fourier": fourier,
    "groups": lambda x: F.group_norm(x, 2),
    "cosine": lambda x: F.cosine_similarity(x[:, :2], x[:, 2:], -1),
}
"""Right on an app's inputs, though the example contains only small numbers."""


class Every(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        found = {name: function(x) for name, function in BEYOND.items()}
        return {f"{n}.{i}": y for n, ys in found.items() for i, y in enumerate(ys if isinstance(ys, tuple) else (ys,))}


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Built:
    torch.manual_seed(0)
    return edgec.build(
        Every().eval(), (torch.randn(2, 4, 6, 8),), target="iphone", out=tmp_path_factory.mktemp("every")
    )


GIVEN = {
    "pixels": torch.rand(2, 4, 6, 8) * 255,
    "bright": torch.rand(2, 4, 6, 8) + 128,
    "large": torch.randn(2, 4, 6, 8) * 3000,
    "small": torch.randn(2, 4, 6, 8) * 1e-3,
}


@pytest.mark.parametrize("kind", GIVEN)
def test_arithmetic_on_inputs_holds_beyond_the_samples(kind: str, every: Built) -> None:
    assert every.manifest.accuracy.status == "passed", every.failures
    with torch.no_grad():
        wanted = Every()(GIVEN[kind])
    with open_runner(every.folder / every.manifest.artifact.path, as_source=True) as runner:
        found = runner.run({"x": GIVEN[kind].numpy()})
    for (name, expected), output in zip(wanted.items(), every.manifest.outputs, strict=True):
        worst = np.abs(found[output.name] - expected.numpy()).max() / expected.abs().max().item()
        assert worst < 5e-3, name


HELD = {
    "response": lambda h: h / (h.norm(dim=(2, 3), keepdim=True).mean(1, keepdim=True) + 1e-6),
    "unit": lambda h: F.normalize(h, dim=1),
    "channels": channel_norm,
    "deviation": lambda h: h.std((2, 3)),
    "softplus": F.softplus,
    "mish": F.mish,
    "squared-relu": lambda h: F.relu(h / 8) ** 2 * torch.sigmoid(h),
    "pooled": lambda h: (h.flatten(2) * h.flatten(2).softmax(-1)).sum(-1),
    "clipped": lambda h: (h / 100).clamp(max=4.1).exp(),
}
"""Values that float16 represents behind a learned layer."""


class Behind(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 6, 3)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        h = self.layer(x)
        return {name: function(h) for name, function in HELD.items()}


def test_norms_and_activations_behind_a_layer_hold_in_float16(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Behind().eval()
    built = edgec.build(model, (torch.randn(2, 3, 10, 8),), target="iphone", out=tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures
    assert not built.manifest.float32
    with open_runner(built.folder / built.manifest.artifact.path, as_source=True) as runner:
        for size in (0.1, 1.0, 300.0):
            x = torch.randn(2, 3, 10, 8) * size
            found = runner.run({"x": x.numpy()})
            with torch.no_grad():
                wanted = model(x)
            for (name, expected), output in zip(wanted.items(), built.manifest.outputs, strict=True):
                worst = np.abs(found[output.name] - expected.numpy()).max() / expected.abs().max().item()
                assert worst < 5e-3, (name, size)


class Growing(torch.nn.Module):
    """Activations that grow by hundreds from layer to layer, as without normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Conv2d(4, 4, 3, padding=1) for _ in range(3))
        self.norm = torch.nn.GroupNorm(2, 4)
        with torch.no_grad():
            for layer in self.layers:
                layer.weight *= 300

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.layers[0](x)
        h = h + F.relu(self.layers[1](h))
        h = F.max_pool2d(torch.cat([h, F.hardtanh(self.layers[2](h), -1e6, 1e8)], 1), 2)
        return self.norm(h[:, 2:6] * torch.sigmoid(h.mean() * 1e-9)), h


def test_activations_beyond_float16_are_held_as_a_power_of_two_of_themselves(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Growing().eval()
    built = edgec.build(model, (torch.randn(2, 4, 8, 8),), target="iphone", out=tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures
    assert [kept.op for kept in built.manifest.float32] == ["Mul"], built.manifest.float32
    with open_runner(built.folder / built.manifest.artifact.path, as_source=True) as runner:
        for size in (0.01, 1.0, 50.0):
            x = torch.rand(2, 4, 8, 8) * size
            found = runner.run({"x": x.numpy()})
            with torch.no_grad():
                wanted = model(x)
            for expected, output in zip(wanted, built.manifest.outputs, strict=True):
                worst = np.abs(found[output.name] - expected.numpy()).max() / expected.abs().max().item()
                assert worst < 5e-3, (output.name, size)
