"""The inverse short-time Fourier transform."""

from __future__ import annotations

from typing import Any

import torch

from edgec.frontend.torch.decompositions.base import Decomposition


def _inverse_stft(
    spectrum: torch.Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: torch.Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> torch.Tensor:
    """A signal (…, samples) from (…, n_fft / 2 + 1, frames): windowed frames, overlap-added and divided by the sum of
    the squared windows. torch checks whether that sum is ever zero, which depends on data, and the exporter scatters
    with 32-bit indices, which ONNX does not support.
    """
    hop, width = hop_length or n_fft // 4, win_length or n_fft
    plain = torch.ones(width, dtype=torch.float32) if window is None else window
    left = (n_fft - width) // 2
    shape = torch.nn.functional.pad(plain, (left, n_fft - width - left))
    norm = "ortho" if normalized else "backward"
    frames = torch.fft.irfft(spectrum.transpose(-1, -2), n=n_fft, norm=norm) * shape
    count = frames.shape[-2]
    starts = torch.arange(count, dtype=torch.int64) * hop
    index = (starts.unsqueeze(1) + torch.arange(n_fft, dtype=torch.int64)).flatten()
    total = n_fft + hop * (count - 1)
    signal = torch.zeros((*frames.shape[:-2], total)).index_add(-1, index, frames.flatten(-2))
    weight = torch.zeros(total).index_add(0, index, (shape * shape).expand(count, n_fft).flatten())
    first = n_fft // 2 if center else 0
    last = total - first if length is None else min(first + length, total)
    cut = signal[..., first:last] / weight[first:last]
    missing = 0 if length is None else length - (last - first)
    return torch.nn.functional.pad(cut, (0, missing)) if missing else cut


def _is_real_and_static(
    spectrum: torch.Tensor, n_fft: int, *rest: Any, onesided: bool | None = None, return_complex: bool = False, **_: Any
) -> bool:
    one_sided = (rest[5] if len(rest) > 5 else onesided) is not False
    real = not (rest[7] if len(rest) > 7 else return_complex)
    static = all(isinstance(size, int) for size in spectrum.shape)
    return one_sided and real and static and spectrum.dtype == torch.complex64


SPECTRA: dict[str, Decomposition] = {"aten.istft.default": Decomposition(_inverse_stft, _is_real_and_static)}
