"""Signals of open length: spectra and back, and recurrent layers, at both ends and between."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import edgec
from edgec.runners.open import open_runner

LENGTHS = [40, 200, 72, 101, 160]


class Spectral(nn.Module):
    """A mask on a spectrogram, and the signal again: as long as it was, and as the frames have it."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv1d(17, 17, 3, padding=1)
        self.register_buffer("window", torch.hann_window(24))

    def forward(self, x):
        s = torch.stft(x, 32, 8, 24, self.window, return_complex=True)
        power = s.real**2 + s.imag**2
        kept = s * torch.sigmoid(self.mix(power))
        frames = torch.fft.rfft(x.unfold(-1, 16, 4)).abs()
        whole = torch.istft(kept, 32, 8, 24, self.window, length=x.shape[-1])
        return whole, torch.istft(kept, 32, 8, 24, self.window), frames.mean(1)


class Recurrent(nn.Module):
    """Every kind of layer, in both directions and several layers."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(6, 5, 2, bidirectional=True, batch_first=True)
        self.lstm = nn.LSTM(10, 4, bidirectional=True, batch_first=True)
        self.rnn = nn.RNN(8, 3, nonlinearity="relu", batch_first=True)

    def forward(self, x):
        y, _ = self.gru(x)
        y, (h, c) = self.lstm(y)
        y, last = self.rnn(y)
        return y, torch.cat([h, c]), last


CASES = {
    "spectral": (Spectral, lambda n: torch.randn(2, n), "x:1=n:40..200"),
    "recurrent": (Recurrent, lambda n: torch.randn(2, n, 6), "x:1=n:40..200"),
}


@pytest.mark.parametrize("target", ["android", "iphone", "rtx"])
@pytest.mark.parametrize("name", CASES)
def test_every_length_is_right(name: str, target: str, tmp_path: Path) -> None:
    kind, drawn, dynamic = CASES[name]
    torch.manual_seed(0)
    module = kind().eval()
    built = edgec.build(module, (drawn(96),), target, out=tmp_path, dynamic=[dynamic])
    assert built.manifest.accuracy.status == "passed", built.failures
    assert not [d for d in built.told if d.code == "E0220"]
    artifact = built.folder / built.manifest.artifact.path
    with open_runner(artifact if target != "rtx" else next(built.folder.glob("*.onnx"))) as runner:
        for length in LENGTHS:
            x = drawn(length)
            for expected, found in zip(module(x), runner.run({"x": x.numpy()}).values(), strict=True):
                assert found.shape == expected.shape
                worst = np.abs(found - expected.detach().numpy()).max() / expected.abs().max()
                assert worst < (2e-2 if target == "iphone" else 1e-4), length


@pytest.mark.parametrize("target", ["android", "iphone"])
def test_open_batch_and_length(target: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Recurrent().eval()
    dynamic = ["x:0=b:1..4,1=n:3..40"]
    built = edgec.build(module, (torch.randn(2, 9, 6),), target, out=tmp_path, dynamic=dynamic)
    assert built.manifest.accuracy.status == "passed", built.failures
    with open_runner(built.folder / built.manifest.artifact.path) as runner:
        for batch, length in [(1, 3), (4, 40), (3, 8)]:
            x = torch.randn(batch, length, 6)
            for expected, found in zip(module(x), runner.run({"x": x.numpy()}).values(), strict=True):
                worst = np.abs(found - expected.detach().numpy()).max() / expected.abs().max()
                assert worst < (2e-2 if target == "iphone" else 1e-4), (batch, length)
