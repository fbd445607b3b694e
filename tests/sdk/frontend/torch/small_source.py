"""A small network as a file, and helpers for the tests of sources."""

import pytest
from torch import nn

from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest

CODE = """
import torch
from torch import nn
from torch.utils import _pytree as pytree

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))

    def forward(self, x):
        return self.net(x)

def model():
    return Net(), (torch.randn(1, 3, 8, 8),)
"""


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))

    def forward(self, x):
        return self.net(x)


def run(ref, **more):
    """The canonical model of a source, verified against it by `prepare`."""
    return prepare(SourceRequest(str(ref), **more), BuildOptions(), lambda step: None)


def refusal(ref, **more):
    with pytest.raises(EdgecError) as caught:
        run(ref, **more)
    return caught.value.diagnostics[0]


def built(code, **more):
    with pytest.raises(EdgecError) as caught:
        build(SourceRequest(f"{code}:model"), ["android"], BuildOptions(**more), lambda step: None)
    return caught.value.diagnostics[0]
