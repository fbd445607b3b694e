"""Every way in which a module keeps something from one call to the next, one class a way.

`STATES` are states of the model, each with its names; `CACHES` depend on no data, or nobody reads them; `REFUSED` are,
with the label and the line on which `# here` stands (none where what is kept cannot be seen).
"""

import collections
import dataclasses
import functools
import itertools
import threading

import numpy as np
import torch
from torch import nn

STATES, CACHES, REFUSED = {}, {}, {}
LAST, KEPT, CALLS = torch.zeros(4), {"h": torch.zeros(4)}, 0


def state(*names):
    return lambda kind: STATES.setdefault(kind.__name__, (kind, names))[0]


def cache(kind):
    return CACHES.setdefault(kind.__name__, kind)


def refused(label):
    return lambda kind: REFUSED.setdefault(kind.__name__, (kind, label))[0]


class Holding(nn.Module):
    def __init__(self, **held):
        super().__init__()
        for name, value in held.items():
            setattr(self, name, value)


@dataclasses.dataclass
class Record:
    h: torch.Tensor


class Buffered(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("h", torch.zeros(4))


@state("prev")
class Attribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.prev = torch.zeros(4)

    def forward(self, x):
        y = x + self.prev
        self.prev = x
        return y


@state("mean")
class WrittenInPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = torch.zeros(4)

    def forward(self, x):
        self.mean.mul_(0.9).add_(x, alpha=0.1)
        return x - self.mean


@state("h")
class DataOfABuffer(Buffered):
    def forward(self, x):
        self.h.data = self.h + x
        return self.h * 2


@state("h")
class DataWrittenTo(Buffered):
    def forward(self, x):
        self.h.data.mul_(0.9).add_(x, alpha=0.1)
        return self.h + x


@state("prev")
class DataOfAnAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.prev = torch.zeros(4)

    def forward(self, x):
        self.prev.data = self.prev + x
        return self.prev * 2


@state("inner_h")
class RegistryWritten(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Buffered()

    def forward(self, x):
        self.inner._buffers["h"] = self.inner.h + x
        return self.inner.h * 2


class Unregistered(nn.Module):
    def __init__(self):
        super().__init__()
        self.others = [Buffered()]


@state("others_0_h")
class BufferOfAnUnregisteredModule(Unregistered):
    def forward(self, x):
        self.others[0].h = self.others[0].h + x
        return self.others[0].h * 2


@state("others_0_h")
class BufferOfAnUnregisteredModuleWrittenTo(Unregistered):
    def forward(self, x):
        self.others[0].h.add_(x)
        return self.others[0].h * 2


@state("h")
class RegisteredAgain(Buffered):
    def forward(self, x):
        h = self.h + x
        del self.h
        self.register_buffer("h", h)
        return h * 2


@state("h_0", "h_1")
class TupleOfTensors(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(4, 4)
        self.h = (torch.zeros(1, 4), torch.zeros(1, 4))

    def forward(self, x):
        self.h = self.cell(x[None], self.h)
        return self.h[0]


@state("h_1", "h_2")
class Deque(nn.Module):
    def __init__(self):
        super().__init__()
        self.h = collections.deque([torch.zeros(4)] * 3, maxlen=3)

    def forward(self, x):
        self.h.append(x)
        return sum(self.h)


@state("d_a")
class Dictionary(nn.Module):
    def __init__(self):
        super().__init__()
        self.d = {"a": torch.zeros(4)}

    def forward(self, x):
        y = x + self.d["a"]
        self.d["a"] = x * 2
        return y


@state("h", "count")
class BuffersElsewhere(Buffered):
    """As caches of transformers are: the layers' own tensors, registered as buffers too."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.tensor(0))
        self.layers = [Record(self.h)]
        self.counts = {"first": self.count}

    def forward(self, x):
        self.counts["first"].add_(1)
        self.layers[0].h.index_copy_(0, torch.arange(2) + self.count % 3, x[:2])
        return self.layers[0].h * self.count + x


@state("record_h")
class Dataclass(nn.Module):
    def __init__(self):
        super().__init__()
        self.record = Record(torch.zeros(4))

    def forward(self, x):
        y = x + self.record.h
        self.record.h = x
        return y


@state("inner_h")
class AttributeOfChild(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Holding(h=torch.zeros(4))

    def forward(self, x):
        y = x + self.inner.h
        self.inner.h = y * 0.5
        return y


@state("inner_h")
class BufferOfChild(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Buffered()

    def forward(self, x):
        y = self.inner.h
        if x.sum() > 0:
            self.inner.h = x + y
        return y


@state("h")
class BufferOnOneSide(Buffered):
    def forward(self, x):
        y = x + self.h
        if x.sum() > 0:
            self.h = x * 2
        return y


@state("prev")
class OnARareSide(nn.Module):
    def __init__(self):
        super().__init__()
        self.prev = torch.zeros(4)

    def forward(self, x):
        y = x + self.prev
        if x.sum() > 100:
            self.prev = x
        return y


@state("OfClass_prev")
class OfClass(nn.Module):
    prev = torch.zeros(4)

    def forward(self, x):
        y = x + type(self).prev
        type(self).prev = x
        return y


@state("LAST")
class Global(nn.Module):
    def forward(self, x):
        global LAST
        y = x + LAST
        LAST = x
        return y


@state("KEPT_h")
class GlobalDictionary(nn.Module):
    def forward(self, x):
        y = x + KEPT["h"]
        KEPT["h"] = x
        return y


@state("cache_h")
class DefaultArgument(nn.Module):
    def forward(self, x, cache={"h": torch.zeros(4)}):  # noqa: B006
        y = x + cache["h"]
        cache["h"] = x
        return y


@state("h")
class Closure(nn.Module):
    def __init__(self):
        super().__init__()
        h = torch.zeros(4)

        def step(x):
            nonlocal h
            y = x + h
            h = x
            return y

        self.step = step

    def forward(self, x):
        return self.step(x)


@state("held_h")
class Hook(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, held = nn.Linear(4, 4), {"h": torch.zeros(4)}

        def hook(module, inputs, output):
            y = output + held["h"]
            held["h"] = output
            return y

        self.layer.register_forward_hook(hook)

    def forward(self, x):
        return self.layer(x)


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
    """Nothing but its attribute counts."""


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
