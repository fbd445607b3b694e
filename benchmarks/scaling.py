"""What makes a build expensive, each compared to a baseline: `python -m benchmarks.scaling [rounds]`.

Medians of whole processes run in turn: a bidirectional GRU by its number of steps; the same model with and without
`torch.compile`; a video transformer's pooled attention over 25,088 tokens for Core ML, whose ranges are observed, and
for TFLite. `ratio` is to the first row of each group.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from typing import Any

import torch
from torch import nn

from benchmarks.whole_processes import Timed, build_command


class Recurrent(nn.Module):
    """A GRU that returns the states of all steps, in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(40, 32, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> Any:
        return self.gru(x)[0]


class PooledAttention(nn.Module):
    """Attention from many tokens to few, as in the first blocks of a multiscale video transformer, by averaging."""

    def __init__(self, blocks: int = 12, width: int = 96, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * blocks))
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(blocks))
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)) for _ in range(blocks)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, (qkv, mlp) in enumerate(zip(self.qkv, self.mlps, strict=True)):
            q, k, v = qkv(self.norms[2 * i](x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            k, v = (t.unflatten(2, (-1, 64)).mean(3) for t in (k, v))
            x = x + nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            x = x + mlp(self.norms[2 * i + 1](x))
        return x


def _steps(count: int) -> tuple[nn.Module, tuple[torch.Tensor]]:
    return Recurrent(), (torch.randn(1, count, 40),)


def steps_100() -> tuple[nn.Module, tuple[torch.Tensor]]:
    return _steps(100)


def steps_200() -> tuple[nn.Module, tuple[torch.Tensor]]:
    return _steps(200)


def steps_400() -> tuple[nn.Module, tuple[torch.Tensor]]:
    return _steps(400)


def plain() -> tuple[nn.Module, tuple[torch.Tensor]]:
    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.GELU())
    return net, (torch.randn(1, 3, 64, 64),)


def compiled() -> tuple[Any, tuple[torch.Tensor]]:
    net, inputs = plain()
    return torch.compile(net), inputs


def tokens() -> tuple[nn.Module, tuple[torch.Tensor]]:
    return PooledAttention(), (torch.randn(1, 25088, 96),)


GROUPS = (
    (("steps_100", "iphone"), ("steps_200", "iphone"), ("steps_400", "iphone")),
    (("plain", "android"), ("compiled", "android")),
    (("tokens", "android"), ("tokens", "iphone")),
)


def main(rounds: int) -> int:
    print(f"{rounds} rounds in turn, medians, {os.cpu_count()} cores")
    print(f"{'':12} {'target':8} {'seconds':>8} {'ratio':>6} {'cpu s':>6} {'ratio':>6} {'peak MiB':>9} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as folder:
        return max(_group(group, folder, rounds) for group in GROUPS)


def _group(group: tuple[tuple[str, str], ...], folder: str, rounds: int) -> int:
    timed = {row: Timed() for row in group}
    for _ in range(rounds):
        for (name, target), row in timed.items():
            if not row.run(build_command(f"{__file__}:{name}", target, folder)):
                print(f"{name:12} {target:8} failed")
                return 1
    base: list[float] = []
    for (name, target), row in timed.items():
        found = [statistics.median(values) for values in (row.seconds, row.cpu, row.peak_mib)]
        base = base or found
        ratios = [a / b for a, b in zip(found, base, strict=True)]
        print(f"{name:12} {target:8} {found[0]:8.1f} {ratios[0]:6.2f} {found[1]:6.1f} {ratios[1]:6.2f}", end=" ")
        print(f"{found[2]:9.0f} {ratios[2]:6.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
