"""Inverse STFT for dynamic lengths: a transposed convolution with the windowed waves as filters."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as functional
from torch import Tensor


def istft(
    spectrum: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """Like `torch.istft`, which checks the window's coverage depending on data and does not support a dynamic `length`.

    (…, n_fft / 2 + 1, frames) -> (…, samples): Griffin and Lim, "Signal estimation from modified short-time Fourier
    transform", 1984, eq. 6: windowed frames, overlap-added and divided by the sum of squared windows.
    """
    is_open = isinstance(spectrum.shape[-1], torch.SymInt) or isinstance(length, torch.SymInt)
    if not is_open or onesided is False or return_complex:
        given = (hop_length, win_length, window, center, normalized, onesided, length, return_complex)
        return torch.istft(spectrum, n_fft, *given)
    hop, width = hop_length or n_fft // 4, win_length or n_fft
    plain = torch.ones(width, dtype=torch.float32) if window is None else window
    left = (n_fft - width) // 2
    shape = functional.pad(plain, (left, n_fft - width - left))
    lead, (bins, frames) = spectrum.shape[:-2], spectrum.shape[-2:]
    parts = torch.cat([spectrum.real, spectrum.imag], -2).reshape(-1, 2 * bins, frames)
    filters = _waves(n_fft, normalized).to(shape.dtype) * shape
    signal = functional.conv_transpose1d(parts, filters.unsqueeze(1), stride=hop)
    ones = torch.ones(1, 1, frames, dtype=shape.dtype)
    weight = functional.conv_transpose1d(ones, (shape * shape).reshape(1, 1, -1), stride=hop)
    total, first = n_fft + hop * (frames - 1), n_fft // 2 if center else 0
    missing = 0
    if length is None:
        last = total - first
    else:
        last = first + length
        if last > total:
            last, missing = total, last - total
    cut = (signal[..., first:last] / weight[..., first:last]).reshape(*lead, last - first)
    return functional.pad(cut, (0, missing)) if missing else cut


def _waves(n_fft: int, normalized: bool) -> Tensor:
    """(2 bins, n_fft): the contributions of each bin's real and imaginary part to a real signal."""
    bins = n_fft // 2 + 1
    turns = torch.arange(bins).unsqueeze(1) * torch.arange(n_fft) % n_fft
    angle = turns.to(torch.float64) * (2 * math.pi / n_fft)
    twice = torch.full((bins, 1), 2.0, dtype=torch.float64)
    twice[0] = 1.0
    if n_fft % 2 == 0:
        twice[-1] = 1.0
    scale = twice / (math.sqrt(n_fft) if normalized else n_fft)
    return torch.cat([torch.cos(angle) * scale, -torch.sin(angle) * scale])
