"""Modules that torch's exporter does not accept as they are: scripted children, `vmap`, distributions, windows."""

from pathlib import Path

import pytest
import torch
from torch import nn

from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.diag import EdgecError
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest


class Scripted(nn.Module):
    """A scripted child with a decision, and a traced one."""

    def __init__(self) -> None:
        super().__init__()
        self.scripted = torch.jit.script(Deciding())
        self.inner = nn.Sequential(torch.jit.trace(nn.Linear(4, 3).eval(), torch.zeros(2, 4)))

    def forward(self, x):
        return self.inner(self.scripted(x))


class Deciding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        y = self.linear(x)
        if bool(y.sum() > 0):
            return y * 2
        return -y


class Mapped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(2, 4, 4))

    def forward(self, x):
        return torch.vmap(lambda w, v: torch.tanh(w @ v))(self.weights, x), torch.vmap(torch.cumsum, (0, None))(x, 0)


class Likelihood(nn.Module):
    """A distribution checks its parameters, which depend on data."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 6)

    def forward(self, x):
        mean, spread = self.linear(x).chunk(2, -1)
        normal = torch.distributions.Normal(mean, spread.exp())
        chosen = torch.distributions.Categorical(logits=mean)
        return normal.log_prob(x[:, :3]), chosen.entropy()


class Window(nn.Module):
    """The window is created in forward, and differs from ONNX's own."""

    def forward(self, x):
        return x * torch.hamming_window(4), x * torch.hamming_window(4, periodic=False, alpha=0.5, beta=0.5)


class Gradient(nn.Module):
    def forward(self, x):
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(x.square().sum(), x)
        return x - slope


def prepare(module: nn.Module):
    torch.manual_seed(1)
    request = ExportRequest("net", SourceId("python", "net.py:net", "0"), module.eval(), (torch.randn(2, 4),))
    return prepare_imported(export_module(request), BuildOptions(out=Path("unused")), lambda _: None)


@pytest.mark.parametrize("module", [Scripted, Mapped, Likelihood, Window])
def test_the_graph_computes_the_same(module: type[nn.Module]) -> None:
    torch.manual_seed(0)
    prepare(module())  # raises E0205 where it does not


def test_a_scripted_child_stays_the_sources() -> None:
    torch.manual_seed(0)
    module = Scripted()
    child, validates = module.scripted, torch.distributions.Distribution._validate_args  # torch.compile sets it
    prepare(module)
    assert module.scripted is child
    assert torch.distributions.Distribution._validate_args == validates


def test_a_gradient_is_refused() -> None:
    with pytest.raises(EdgecError, match="gradient") as caught:
        prepare(Gradient())
    assert "rejected by `gradient`" in caught.value.diagnostics[0].notes


class Router(nn.Module):
    """Assigns its head anew in forward, converted to the type that it already has."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.head = self.head.to(torch.float32)
        return torch.softmax(self.head(x), -1)


def test_a_module_that_is_moved_to_where_it_is() -> None:
    module, source = Router().eval(), SourceId("module", "m", "")
    imported = export_module(ExportRequest("m", source, module, (torch.randn(2, 4),)))
    assert prepare_imported(imported, BuildOptions(), lambda step: None).samples
    assert nn.Module.to.__module__ == "torch.nn.modules.module"
