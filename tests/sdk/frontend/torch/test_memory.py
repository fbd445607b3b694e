"""All ways in which a module keeps something: a state, no state, or refused with its line."""

import copy
import inspect

import numpy as np
import pytest
import torch

from edgec.diag import EdgecError
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.autograph import coverage
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.ir.states import states
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from tests.memories import CACHES, REFUSED, STATES

EXAMPLE = torch.tensor([0.5, -1.0, 2.0, 3.0])


@pytest.fixture(autouse=True)
def few_trials(monkeypatch):
    """Reduce the search for sides: each case runs on inputs of its own."""
    monkeypatch.setattr(coverage, "_candidates", lambda *_: iter(()))


def exported(kind):
    torch.manual_seed(0)
    module = kind().eval()
    return module, export_module(ExportRequest("model", SourceId("module", "test", ""), module, (EXAMPLE,)))


def check_in_a_row(module, found):
    """Compare consecutive runs, each with the states of the previous one, with the module itself."""
    generator = torch.Generator().manual_seed(4)
    held = {s.input: found.examples[s.input] for s in states(found.model)}
    with OnnxRuntimeRunner(found.model, optimize=False) as runner, torch.no_grad():
        for scale in (1, -1, 1, 100, 1, 1):
            x = torch.randn(4, generator=generator).abs() * scale
            results = runner.run({"x": x.numpy(), **held})
            wanted = module(x.clone()).clone()
            np.testing.assert_allclose(results[found.model.graph.outputs[0].name], wanted, rtol=1e-4, atol=1e-4)
            held = {s.input: results[s.output] for s in states(found.model)}


@pytest.mark.parametrize("name", STATES)
def test_tensors_of_one_form_are_states(name):
    kind, names = STATES[name]
    module, found = exported(kind)
    assert sorted(s.input for s in states(found.model)) == sorted(names)
    check_in_a_row(module, found)


@pytest.mark.parametrize("name", CACHES)
def test_what_depends_on_no_data_or_is_not_read_is_none(name):
    module, found = exported(CACHES[name])
    assert not states(found.model)
    check_in_a_row(module, found)


@pytest.mark.parametrize("name", REFUSED)
def test_whatever_else_is_kept_is_refused_with_its_line(name):
    kind, label = REFUSED[name]
    with pytest.raises(EdgecError) as refused:
        exported(kind)
    (told,) = refused.value.diagnostics
    assert told.code == ("E0219" if label else "E0206")
    assert not label or told.notes[-1] == f"rejected by `memory-{label}`"
    assert told.help
    lines, first = inspect.getsourcelines(kind)
    assert told.place is not None
    assert "# here" in lines[told.place.line - first]


def test_the_module_is_left_as_it_was():
    module = STATES["TupleOfTensors"][0]().eval()
    before = copy.deepcopy(module.__dict__)
    export_module(ExportRequest("model", SourceId("module", "test", ""), module, (EXAMPLE,)))
    assert module.__dict__.keys() == before.keys()
    assert not module._forward_hooks
    assert not module._forward_pre_hooks
    assert all(torch.equal(a, b) for a, b in zip(module.h, before["h"], strict=True))
