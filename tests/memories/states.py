"""States of the model: what a call leaves for the next one."""

import collections

import torch
from torch import nn

from tests.memories.base import Buffered, Holding, Record, Unregistered, state

LAST, KEPT = torch.zeros(4), {"h": torch.zeros(4)}


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
    """As in caches of transformers: the layers' own tensors, also registered as buffers."""

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
