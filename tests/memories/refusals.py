"""Kept values that cannot be expressed as a state."""

import functools
import itertools
import threading

import numpy as np
import torch
from torch import nn

from tests.memories.base import refused

CALLS = 0


@refused("empty")
class FilledByTheFirstCall(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = None

    def forward(self, x):
        if self.mean is None:
            self.mean = x.mean()  # here
        return x - self.mean


@refused("")
class ChosenByTheFirstCall(nn.Module):
    def __init__(self):
        super().__init__()
        self.mode = None

    def forward(self, x):
        if self.mode is None:
            self.mode = "high" if x.sum() > -1e6 else "low"  # here
        return x * 2 if self.mode == "high" else x * 3


@refused("number")
class NumberOfTheFirstCall(nn.Module):
    def __init__(self):
        super().__init__()
        self.valid = None

    def forward(self, x):
        if self.valid is None:
            self.valid = int((x > -1e6).sum())  # here
        return x * self.valid


@refused("number")
class SymbolOfTheFirstCall(nn.Module):
    def __init__(self):
        super().__init__()
        self.place = None

    def forward(self, x):
        if self.place is None:
            self.place = x.clamp(-9, 9).argmax().item()  # here
        return x.roll(self.place)


@refused("empty")
class MadeByTheFirstCall(nn.Module):
    def forward(self, x):
        if not hasattr(self, "most"):
            self.most = x.max()  # here
        return x / self.most


@refused("empty")
class CachedProperty(nn.Module):
    def forward(self, x):
        self._x = x
        return x - self.mean  # here

    @functools.cached_property
    def mean(self):
        return self._x.mean()


@refused("empty")
class GrowingList(nn.Module):
    def __init__(self):
        super().__init__()
        self.cache = []

    def forward(self, x):
        self.cache.append(x)  # here
        return torch.stack(self.cache).sum(0)


@refused("empty")
class GrowingOnOneSide(nn.Module):
    def __init__(self):
        super().__init__()
        self.cache = []

    def forward(self, x):
        y = x + sum(self.cache)
        if x.sum() > 100:
            self.cache.append(x)  # here
        return y


@refused("empty")
class GrowingDefault(nn.Module):
    def forward(self, x, cache=[]):  # noqa: B006
        cache.append(x)  # here
        return x + cache[0]


@refused("empty")
class EmptyBuffer(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("h", None)

    def forward(self, x):
        y = x if self.h is None else x + self.h
        self.h = x  # here
        return y


@refused("form")
class GrowingTensor(nn.Module):
    def __init__(self):
        super().__init__()
        self.cache = torch.zeros(0, 4)

    def forward(self, x):
        self.cache = torch.cat([self.cache, x[None]])  # here
        return self.cache.sum(0)


@refused("form")
class GrowingBuffer(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("cache", torch.zeros(0, 4))

    def forward(self, x):
        self.cache = torch.cat([self.cache, x[None]])  # here
        return self.cache.sum(0)


@refused("form")
class WrittenThroughAView(nn.Module):
    def __init__(self):
        super().__init__()
        self.h = torch.zeros(3, 4)
        self.row = self.h[0]

    def forward(self, x):
        y = x + self.h[0]
        self.row.copy_(x)  # here
        return y


@refused("form")
class Array(nn.Module):
    def __init__(self):
        super().__init__()
        self.count = np.zeros(1)

    def forward(self, x):
        self.count[0] += 1  # here
        return x * float(self.count[0])


@refused("number")
class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.step = 0

    def forward(self, x):
        self.step += 1  # here
        return x * 2 if self.step > 100 else x


@refused("number")
class GlobalCounter(nn.Module):
    def forward(self, x):
        global CALLS
        CALLS += 1  # here
        return x * CALLS


@refused("number")
class Flag(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = True

    def forward(self, x):
        if self.first:
            self.first = False  # here
            return x
        return x * 2


@refused("number")
class NumberOfData(nn.Module):
    def __init__(self):
        super().__init__()
        self.valid = 0

    def forward(self, x):
        y = x * self.valid
        self.valid = int((x > -1e6).sum())  # here
        return y


@refused("number")
class AverageInPython(nn.Module):
    def __init__(self):
        super().__init__()
        self.average = 0.0

    def forward(self, x):
        self.average = 0.9 * self.average + 0.1 * float(x.mean())  # here
        return x - self.average


@refused("cache")
class MethodCache(nn.Module):
    def forward(self, x):
        self._x = x
        return x - self.mean()

    @functools.cache  # noqa: B019  # here
    def mean(self):
        return self._x.mean()


THREAD = threading.local()


@refused("hidden")
class FilledWhereNobodyLooks(nn.Module):
    def forward(self, x):
        if not hasattr(THREAD, "mean"):
            THREAD.mean = x.mean() * 1.1  # here
        return x - THREAD.mean


@refused("hidden")
class Iterator(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = itertools.count(1)

    def forward(self, x):
        return x * next(self.steps)  # here


@refused("parameter")
class ParameterData(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x):
        y = x * self.weight
        self.weight.data.mul_(0.5)  # here
        return y


@refused("hidden")
class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = self.sums()
        next(self.steps)

    @staticmethod
    def sums():
        total = torch.zeros(4)
        x = yield
        while True:
            total = total + x
            x = yield total  # here

    def forward(self, x):
        return self.steps.send(x)


def holds_the_last():
    """A function of which only an attribute is used."""


holds_the_last.x = torch.zeros(4)


@refused("hidden")
class FunctionAttribute(nn.Module):
    def forward(self, x):
        y = x + holds_the_last.x  # here
        holds_the_last.x = x
        return y


@refused("parameter")
class ParameterWrittenTo(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x):
        self.weight.add_(x)  # here
        return x * self.weight
