"""All ways from data to Python values: right on inputs other than the example, or refused."""

import inspect

import numpy as np
import pytest
import torch

from edgec.diag import EdgecError
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.autograph import coverage
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from tests.data_to_python import REFUSED, RIGHT


@pytest.fixture(autouse=True)
def few_trials(monkeypatch):
    """Reduce the search for sides: each case runs on inputs of its own."""
    monkeypatch.setattr(coverage, "_candidates", lambda *_: iter(()))


def exported(forward):
    module = type("Model", (torch.nn.Module,), {"forward": forward, "s1": 2.0, "s2": 3.0})().eval()
    example = (torch.linspace(0.5, 2, 12).reshape(3, 4), torch.tensor(3))
    return module, export_module(ExportRequest("model", SourceId("module", "test", ""), module, example))


@pytest.mark.parametrize("name", RIGHT)
def test_what_can_be_told_apart_is_selected(name, capsys):
    module, found = exported(RIGHT[name])
    generator = torch.Generator().manual_seed(4)
    with OnnxRuntimeRunner(found.model) as runner, torch.no_grad():
        for k in range(4):
            x = torch.randn(3, 4, generator=generator)
            (got,) = runner.run({"x": x.numpy(), "k": np.array(k)}).values()
            np.testing.assert_allclose(got, module(x, torch.tensor(k)).numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_is_refused_with_its_line(name):
    function, label = REFUSED[name]
    with pytest.raises(EdgecError) as refused:
        exported(function)
    (told,) = refused.value.diagnostics
    assert told.code == "E0206"
    lines, first = inspect.getsourcelines(function)
    assert told.place is not None
    assert "# here" in lines[told.place.line - first]
    assert not label or f"rejected by `data-to-{label}`" in told.notes
    assert told.help
