"""Control flow on data: the exported graph computes the same as Python, on every side."""

import heapq
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.diag import EdgecError
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.measure.fidelity import compare_all
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from tests import ROOT
from tests.branching import MODELS
from tests.branching_styles import STYLES

ALL = MODELS | STYLES


def prepared(module, inputs):
    request = ExportRequest("model", SourceId("module", "test", ""), module.eval(), inputs)
    return prepare_imported(export_module(request), BuildOptions(), lambda step: None)


@pytest.mark.parametrize("name", ALL)
def test_both_sides_agree_with_python(name):
    make, draw = ALL[name]
    torch.manual_seed(3)
    model = make()
    result = prepared(model, draw())
    names = list(result.imported.examples)
    seen = set()
    with OnnxRuntimeRunner(result.model) as runner:
        for _ in range(40):
            inputs = dict(zip(names, (t.numpy() for t in draw()), strict=True))
            expected = result.imported.reference.run(inputs)
            differences = compare_all(expected, runner.run(inputs))
            assert max(d.max_rel for d in differences) < 1e-5, differences
            seen.add(tuple(np.round(a, 6).tobytes() for a in expected.values()))
    assert len(seen) > 15, "the samples do not differ"


@pytest.mark.parametrize("name", ["sides", "expressions", "loops", "dead-index", "matching", "chosen", "forked"])
def test_every_side_is_covered(name):
    make, draw = MODELS[name]
    torch.manual_seed(3)
    result = prepared(make(), draw())
    assert result.imported.branches
    assert all(set(b.sides) == {True, False} for b in result.imported.branches), result.imported.branches
    assert not [d for d in result.imported.warnings if d.severity.value == "warning"]


def test_each_rewritten_branch_is_told_with_its_line():
    make, draw = MODELS["nested"]
    notes = [d for d in prepared(make(), draw()).imported.warnings if d.code == "E0208"]
    source = (ROOT / "branching.py").read_text().splitlines()
    lines = [source[d.place.line - 1].strip() for d in notes]
    assert "if y.max() > 1:" in lines
    assert all(re.match("(el)?if |if x.sum", line) for line in lines)


class DifferentShapes(torch.nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            y = x[:1]
        else:
            y = x * 2
        return y + 1


class OutsideInPlace(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x):
        if x.sum() > 0:
            self.seen.add_(1)
        return x + self.seen


class Hidden(torch.nn.Module):
    def forward(self, x):
        return x * heapq.nsmallest(1, [x[0, 0], x[0, 1]])[0]


class EndsEarly(torch.nn.Module):
    def forward(self, x):
        total = 0.0
        for row in x:
            total = total + row
            if total.sum() > 2:
                break
        return total


def test_a_loop_that_ends_early_is_covered_on_both_ways():
    found = prepared(EndsEarly(), (torch.randn(3, 4),)).imported
    assert {b.site.kind: set(b.sides) for b in found.branches} == {"for": {True, False}, "if": {True, False}}


class CountsInALoop(torch.nn.Module):
    def forward(self, x):
        self.rounds = torch.zeros(())
        while x.abs().max() > 1:
            x = x / 2
            self.rounds = self.rounds + 1
        return x * self.rounds


def test_an_object_that_a_loop_on_data_changes_is_named():
    told = refused(CountsInALoop())
    assert told.code == "E0206"
    assert "`rounds`" in told.message
    assert told.place.file == __file__


class InRange(torch.nn.Module):
    def forward(self, x, i):
        if i >= x.shape[0]:
            return x[0] if i > 700 else x[1]
        return x[i]


def test_the_search_tries_the_numbers_and_sizes_of_the_code():
    found = prepared(InRange(), (torch.randn(5, 4), torch.tensor(1))).imported
    assert [set(b.sides) for b in found.branches] == [{True, False}, {True, False}]


class NeverTaken(torch.nn.Module):
    def forward(self, x):
        return x.exp() if (x * x).sum() < 0 else x


def refused(module):
    with pytest.raises(EdgecError) as caught:
        prepared(module, (torch.randn(3, 4),))
    return caught.value.diagnostics[0]


def test_sides_of_different_shape_are_refused_with_both():
    told = refused(DifferentShapes())
    assert told.code == "E0206"
    assert "[1, 4]" in told.notes[0]
    assert "[3, 4]" in told.notes[1]
    assert all("test_control_flow.py:" in note for note in told.notes)


def test_a_change_of_a_buffer_on_one_side_is_a_state_of_the_model():
    result = prepared(OutsideInPlace(), (torch.randn(3, 4),))
    seen = np.zeros(4, np.float32)
    with OnnxRuntimeRunner(result.model) as runner:
        for sign in (1, -1, 1, 1, -1):
            x = sign * np.abs(np.random.default_rng(0).standard_normal((3, 4), np.float32))
            seen = seen + (sign > 0)
            outputs = runner.run({"x": x, "seen": seen - (sign > 0)})
            assert np.array_equal(outputs["seen_out"], seen)
            assert np.allclose(outputs["output"], x + seen)


def test_a_decision_inside_python_itself_is_refused_with_its_line():
    told = refused(Hidden())
    assert told.code == "E0206"
    assert told.place.file == __file__


def test_a_side_that_nothing_takes_is_a_warning():
    found = prepared(NeverTaken(), (torch.randn(3, 4),)).imported
    assert [d.code for d in found.warnings if d.severity.value == "warning"] == ["E0209"]


def test_checks_of_data_are_told_with_their_lines():
    make, draw = MODELS["checks"]
    found = prepared(make(), draw()).imported
    source = (ROOT / "branching.py").read_text().splitlines()
    lines = [source[d.place.line - 1].strip() for d in found.warnings if d.code == "E0215"]
    assert sorted(line.split()[0] for line in lines) == ["assert", "elif", "if"]
    assert [source[b.place.line - 1].split()[1] for b in found.branches] == ["y.sum()", "torch.equal(x[0],"]


class RaisesEitherWay(torch.nn.Module):
    def forward(self, x):
        if x.sum() > 1e9:
            if x.sum() > 2e9:
                raise ValueError("huge")
            raise ValueError("large")
        return x


def test_a_side_that_raises_either_way_is_left_out():
    found = prepared(RaisesEitherWay(), (torch.randn(3, 4),)).imported
    assert {d.code for d in found.warnings} == {"E0215"}


class CaughtByItsCaller(torch.nn.Module):
    def checked(self, x):
        if x.sum() > 40:
            raise ValueError("large")
        return x * 2

    def forward(self, x):
        try:
            return self.checked(x)
        except ValueError:
            return x - 1


def test_a_left_out_raise_that_a_caller_catches_is_not_silent():
    told = refused(CaughtByItsCaller())
    assert told.code == "E0206"
    assert "`except`" in told.message


class CatchesAnIndex(torch.nn.Module):
    def forward(self, x, i):
        try:
            return x[int(i)]
        except IndexError:
            return x.sum(0)


def test_what_is_caught_on_some_data_alone_is_refused_with_its_line():
    with pytest.raises(EdgecError) as caught:
        prepared(CatchesAnIndex(), (torch.randn(3, 4), torch.tensor(1)))
    told = caught.value.diagnostics[0]
    assert told.code == "E0206"
    source = Path(__file__).read_text().splitlines()
    assert source[told.place.line - 1].strip() == "except IndexError:"


class CatchesNothing(torch.nn.Module):
    def forward(self, x):
        try:
            return x.softmax(-1)
        except RuntimeError:
            return x


def test_a_handler_that_never_runs_is_no_obstacle():
    assert not prepared(CatchesNothing(), (torch.randn(3, 4),)).imported.warnings


def test_the_functions_are_put_back():
    model = MODELS["sides"][0]()
    before = type(model).forward.__code__
    prepared(model, (torch.randn(2, 4),))
    assert type(model).forward.__code__ is before
    assert "__edgec__" not in type(model).forward.__globals__
