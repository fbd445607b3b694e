"""Kept values that do not depend on data, or are never read."""

import functools

import torch
from torch import nn

from tests.memories.base import cache


@cache
class TableOfSizes(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.masks, self.built = None, {}, False

    def forward(self, x):
        if not self.built:
            self.table, self.built = torch.arange(x.shape[0]).sin(), True
        n = x.shape[0]
        if n not in self.masks:
            self.masks[n] = torch.ones(n, n).triu()
        return self.masks[n] @ (x * self.table)


@functools.lru_cache
def table(n):
    return torch.arange(n).cos()


@cache
class TableOfFunction(nn.Module):
    def forward(self, x):
        return x * table(x.shape[0])


@cache
class EmptyBufferFilled(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.empty(0))

    def forward(self, x):
        if self.mask.numel() < x.shape[0]:
            self.mask = torch.arange(x.shape[0]) * 0.5
        return x * self.mask


@cache
class LayerMadeLate(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = None

    def forward(self, x):
        if self.layer is None:
            torch.manual_seed(0)
            self.layer = nn.Linear(x.shape[-1], 4)
        return self.layer(x)


@cache
class TableLikeTheInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = {}

    def forward(self, x):
        key = tuple(x.shape)
        if key not in self.tables:
            self.tables[key] = torch.ones_like(x) * 2
        return x * self.tables[key] if x.sum() > 0 else x


@cache
class HookInstalledLate(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.installed, self.seen = nn.Linear(4, 4), False, []

    def forward(self, x):
        if not self.installed:
            self.layer.register_forward_hook(lambda _, __, output: self.seen.append(output))
            self.installed = True
        self.seen.clear()
        self.layer(x)
        return torch.stack(self.seen).sum(0)


@cache
class OnlyWritten(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.seen, self.steps, self.h = None, [], 0, torch.zeros(4)

    def forward(self, x):
        self.attention = x.softmax(-1)
        self.seen.append(self.attention.mean())
        self.steps += 1
        self.h = x * 2
        return x * self.attention + self.h
