"""Python loops over an open dimension: loops of the graph that give the module's numbers at every length."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgec.diag import EdgecError
from edgec.frontend.dynamic import parse_dynamics
from edgec.frontend.imported import ImportedModel, SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from tests.sdk.open_sizes import check


class Stepping(nn.Module):
    """Steps through a sequence (B, N, 4) in the way that `loop` does."""

    def __init__(self, loop: Callable[["Stepping", torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.cell, self.loop = nn.GRUCell(4, 4), loop

    def forward(self, x):
        return self.loop(self, x)


def unbound(net, x):
    h, out = x.new_zeros(x.shape[0], 4), []
    for row in x.unbind(1):
        h = net.cell(row, h)
        out.append(h)
    return torch.stack(out, 1)


def backwards(net, x):
    h, out = torch.zeros(x.shape[0], 4), []
    for t in range(x.shape[1] - 1, -1, -1):
        h = net.cell(x[:, t], h)
        out.insert(0, h)
    return torch.stack(out, dim=1)


def both_ways(net, x):
    n, there, back = x.size(1), [], []
    h = g = torch.zeros(x.shape[0], 4)
    for t in range(n):
        h = net.cell(x[:, t], h)
        there.append(h)
    for t in reversed(range(n)):
        g = net.cell(x[:, t], g)
        back += [g]
    return torch.cat([torch.stack(there, 1), torch.stack(back[::-1], 1)], -1)


def newest(net, x):
    states = [torch.zeros(x.shape[0], 4)]
    for t in range(x.shape[1]):
        states.append(net.cell(x[:, t], states[-1]))
    return torch.stack(states, 1)


def comprehension(net, x):
    return torch.cat([net.cell(row, torch.ones(x.shape[0], 4))[:, None] for row in x.unbind(1)], 1)


def numbered(net, x):
    total = x.new_zeros(x.shape[0], 4)
    for i, row in enumerate(x.transpose(0, 1)):
        total = total + row * i
    return total


def pairs(net, x):
    out = []
    for earlier, later in zip(x.unbind(1), x.flip(1).unbind(1)):  # noqa: B905
        out.append(earlier * later)
    return torch.stack(out, 1)


def written(net, x):
    y, average = torch.empty_like(x), x[:, 0]
    for t in range(x.shape[1]):
        average = 0.9 * average + 0.1 * x[:, t]
        y[:, t] = average
    return y


def inside(net, x):
    out = []
    for i in range(x.shape[1]):
        row = torch.zeros(x.shape[0], 4)
        for j in range(x.shape[1]):
            row = row + x[:, i] * x[:, j].tanh()
        out.append(row)
    return torch.stack(out, 1)


def until(net, x):
    total = x[:, 0] * 0
    for t in range(1, x.shape[1]):
        total = total + x[:, t].abs()
        if total.sum() > 20:
            break
    return total


def _exported(module: nn.Module, example: torch.Tensor) -> ImportedModel:
    dynamic = parse_dynamics(["x:1=n:2..30"])
    return export_module(ExportRequest("m", SourceId("module", "t", ""), module.eval(), (example,), dynamic=dynamic))


@pytest.mark.parametrize("loop", [backwards, both_ways, newest, comprehension, numbered, pairs, written, inside, until])
def test_a_loop_of_the_graph_gives_the_modules_numbers(loop) -> None:
    torch.manual_seed(0)
    module = Stepping(loop)
    with OnnxRuntimeRunner(_exported(module, torch.randn(2, 5, 4)).model, optimize=False) as runner:
        for n in (2, 3, 11, 30):
            x = torch.randn(2, n, 4)
            (found,) = runner.run({"x": x.numpy()}).values()
            np.testing.assert_allclose(found, module(x).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("loop", [unbound, written])
def test_every_target_has_the_loop(loop, tmp_path: Path) -> None:
    torch.manual_seed(0)
    calls = [(torch.randn(2, n, 4),) for n in (2, 3, 11, 30)]
    check(Stepping(loop), (torch.randn(2, 5, 4),), ["x:1=n:2..30"], calls, tmp_path)


def longer(net, x):
    y = x[:, :1]
    for t in range(x.shape[1]):
        y = torch.cat([y, x[:, t : t + 1]], 1)
    return y


def sometimes(net, x):
    out = []
    for t in range(x.shape[1]):
        if t % 2:
            out.append(x[:, t])
    return torch.stack(out, 1)


def read_while_filled(net, x):
    out = []
    for t in range(x.shape[1]):
        out.append(x[:, t] if len(out) < 3 else out[0])
    return torch.stack(out, 1)


def unstacked(net, x):
    out = []
    for t in range(x.shape[1]):
        out.append(x[:, t])
    return torch.hstack(out)


@pytest.mark.parametrize("loop", [longer, sometimes, read_while_filled, unstacked])
def test_what_no_loop_can_do_is_refused_with_its_line(loop) -> None:
    with pytest.raises(EdgecError) as failure:
        _exported(Stepping(loop), torch.randn(2, 5, 4))
    (told,) = failure.value.diagnostics
    first = loop.__code__.co_firstlineno
    assert told.code in ("E0202", "E0206")
    assert told.place.file == __file__
    assert first < told.place.line < first + 7
    assert told.help
