"""Signals of open length: spectra and their inverse, and recurrent layers, at both ends of the range and between."""

from pathlib import Path

import torch
from torch import nn

from tests.sdk.open_sizes import check

LENGTHS = [40, 200, 72, 101, 160]


class Spectral(nn.Module):
    """A mask on a spectrogram, and its inverse: with the original length, and with that of the frames."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv1d(17, 17, 3, padding=1)
        self.register_buffer("window", torch.hann_window(24))

    def forward(self, x):
        s = torch.stft(x, 32, 8, 24, self.window, return_complex=True)
        power = s.real**2 + s.imag**2
        kept = s * torch.sigmoid(self.mix(power))
        frames = torch.fft.rfft(x.unfold(-1, 16, 4)).abs()
        strided = x[1].as_strided((1 + (x.shape[1] - 16) // 4, 16), (4, 1), x.shape[1])
        whole = torch.istft(kept, 32, 8, 24, self.window, length=x.shape[-1])
        return whole, torch.istft(kept, 32, 8, 24, self.window), frames.mean(1), strided.square().mean(0)


class Recurrent(nn.Module):
    """All kinds of recurrent layers, with both directions and several layers."""

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


def test_spectra_and_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    calls = [(torch.randn(2, length),) for length in LENGTHS]
    assert not check(Spectral(), (torch.randn(2, 96),), ["x:1=n:40..200"], calls, tmp_path)


def test_recurrent_layers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    calls = [(torch.randn(2, length, 6),) for length in LENGTHS]
    assert not check(Recurrent(), (torch.randn(2, 48, 6),), ["x:1=n:40..200"], calls, tmp_path)


def test_recurrent_layers_of_open_batch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    calls = [(torch.randn(batch, length, 6),) for batch, length in [(1, 3), (4, 40), (3, 8)]]
    check(Recurrent(), (torch.randn(2, 9, 6),), ["x:0=b:1..4,1=n:3..40"], calls, tmp_path, ("android", "iphone"))
