"""Writes through views change the underlying memory: diagonals, strides, windows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import edgec
from edgec.diag import EdgecError
from tests.sdk.ordinary import Functions, differences


def _filled(x: Tensor) -> Tensor:
    y, z = x @ x.T, x.T + 0
    y.diagonal().add_(1.0)
    z.fill_diagonal_(7.0, wrap=True)
    w = (x[:1, :1] + x.new_zeros(9, 4)).fill_diagonal_(2.0, wrap=True)
    return torch.cat([y, z, w])


def _read_after_a_write(x: Tensor) -> Tensor:
    y = x + 0
    corner, diagonal = y[1:, 1:], y[1:, 2:].diagonal()
    y.mul_(2.0)
    corner.T.diagonal().zero_()
    return torch.cat([diagonal + 1, y.flatten()])


def _masked(x: Tensor) -> Tensor:
    y = x + 0
    diagonal = y.diagonal(-1)
    diagonal[diagonal > 0] = 0
    y.diagonal(2)[torch.tensor([0, 2])] = 5.0
    return y


def _strided_slices(x: Tensor) -> Tensor:
    y = x + 0
    part = y[1:, 1:]
    torch.as_strided(part, (2, 3), (4, 1)).mul_(3.0)
    return torch.cat([y.flatten(), part.flatten()])


def _windows_with_gaps(x: Tensor) -> Tensor:
    y = x + 0
    y.unfold(1, 2, 4).mul_(5.0)
    return y


def _turned(x: Tensor) -> Tensor:
    y = x.view(2, 2, 6).permute(2, 0, 1) * 2
    part = y[1:, :, ::2]
    y.unfold(0, 2, 3).mul_(3.0)
    part.add_(1.0)
    torch.as_strided(y, (2, 3), (7, 2), 1).sub_(9.0)
    return torch.cat([part.flatten(), y.flatten()])


def _of_the_input(x: Tensor) -> Tensor:
    return torch.as_strided(x.T, (3, 4), (2, 1), 1).sum(1)


WRITES: Functions = {
    "filled": _filled,
    "read-after-a-write": _read_after_a_write,
    "masked": _masked,
    "strided-slices": _strided_slices,
    "windows-with-gaps": _windows_with_gaps,
    "turned": _turned,
    "of-the-input": _of_the_input,
}


def test_the_base_is_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    assert differences(WRITES, (torch.randn(4, 6),), [(torch.randn(4, 6) * 3,)], "android", tmp_path) == []


class Accumulates(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(2, 4, 4))

    def forward(self, x: Tensor) -> Tensor:
        first, _ = self.seen.unbind(0)
        first.diagonal().add_(x)
        return self.seen * 2


def test_a_state_is_written_through_two_views(tmp_path: Path) -> None:
    built = edgec.build(Accumulates(), (torch.randn(4),), target="android", out=tmp_path)
    assert not built.failures
    assert [v.name for v in built.manifest.inputs] == ["x", "seen"]


class Expanded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.as_strided(x.T, (2, 2), (1, 2))


def test_memory_of_unknown_layout_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(EdgecError) as caught:
        edgec.build(Expanded(), (torch.randn(4, 6).T,), target="android", out=tmp_path)
    (refused,) = caught.value.diagnostics
    assert refused.code == "E0202"
    assert refused.notes[0] == "rejected by `strided-view`"
    assert refused.place is not None
    assert refused.place.file == __file__
