"""torch.compile: a build compiles nothing, whichever part of a model requests it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import edgec
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare, prepare_imported
from edgec.frontend.imported import SourceId
from edgec.frontend.request import SourceRequest
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.frontend.torch.weights import load_weights


def refusing(*_: object) -> None:
    """A compiler that must not be called."""
    raise AssertionError("compiled")


compiled = torch.compile(backend=refusing)


class Net(nn.Module):
    def __init__(self, last: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 3) if last is None else last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(x)))


@compiled
def doubled_if_positive(x: torch.Tensor) -> torch.Tensor:
    if x.sum() > 0:
        return x * 2
    return x - 1


class Calling(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return doubled_if_positive(super().forward(x))


class Method(Net):
    @compiled
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.last(self.first(x)))


def in_place() -> nn.Module:
    net = Net()
    net.compile(backend=refusing)
    return net


KINDS: dict[str, Callable[[], nn.Module]] = {
    "module": lambda: torch.compile(Net(), backend=refusing),
    "child": lambda: Net(torch.compile(nn.Linear(4, 3), backend=refusing)),
    "in place": in_place,
    "function": Calling,
    "method": Method,
}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_compiled(kind: str) -> None:
    module = KINDS[kind]()
    request = ExportRequest("net", SourceId("module", kind, ""), module.eval(), (torch.randn(2, 4),))
    prepared = prepare_imported(export_module(request), BuildOptions(), lambda _: None)
    x = np.random.default_rng(7).standard_normal((2, 4), dtype=np.float32)
    assert "Gemm" in {node.op_type for node in prepared.model.graph}
    assert prepared.imported.reference.run(dict.fromkeys(prepared.imported.examples, x))
    if kind == "function":
        assert len(prepared.imported.branches) == 1  # decisions inside are seen


def test_the_built_artifact(tmp_path: Path) -> None:
    """Its name and the names of its inputs are those of the module."""
    built = edgec.build(KINDS["module"](), (torch.randn(2, 4),), "android", out=tmp_path)
    assert built.manifest.name == "Net"
    assert [i.name for i in built.manifest.inputs] == ["x"]
    assert built.manifest.accuracy.status == "passed"


def test_a_source_file_that_compiles(tmp_path: Path) -> None:
    code = "import torch\ndef refuse(*_): raise AssertionError\n"
    code += "def model(): return torch.compile(torch.nn.Linear(3, 2), backend=refuse), (torch.ones(1, 3),)\n"
    (tmp_path / "net.py").write_text(code)
    torch.save({"_orig_mod.weight": torch.ones(2, 3), "_orig_mod.bias": torch.ones(2)}, tmp_path / "w.pt")
    request = SourceRequest(f"{tmp_path / 'net.py'}:model", weights=tmp_path / "w.pt")
    prepared = prepare(request, BuildOptions(), lambda _: None)
    np.testing.assert_array_equal(prepared.samples[0].expected["output"], [[4.0, 4.0]])


@pytest.mark.parametrize("saved", KINDS)
@pytest.mark.parametrize("loaded", ["module", "child", "in place"])
def test_weights_by_either_name(saved: str, loaded: str, tmp_path: Path) -> None:
    """A checkpoint of a compiled model fits the plain one, and vice versa."""
    source, net = KINDS[saved](), KINDS[loaded]()
    torch.nn.init.constant_(next(source.parameters()), 7.0)
    torch.save(source.state_dict(), tmp_path / "w.pt")
    load_weights(net, tmp_path / "w.pt")
    assert float(next(net.parameters()).detach().max()) == 7.0
