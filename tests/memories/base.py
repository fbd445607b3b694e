"""The registry of these classes, and their base."""

import dataclasses

import torch
from torch import nn

STATES, CACHES, REFUSED = {}, {}, {}


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


class Unregistered(nn.Module):
    def __init__(self):
        super().__init__()
        self.others = [Buffered()]
