"""Functionalization without a second trace: the same results, and torch's own method if memory is shared."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.export import ExportedProgram, export
from torch.onnx._internal.exporter import _registration

from edgec.frontend.torch.export import to_onnx
from edgec.frontend.torch.functionalization.exporter_registry import full_registry, registry_for
from edgec.frontend.torch.functionalization.operators import FRESH, SHARING
from edgec.frontend.torch.functionalization.program import make_functional
from edgec.ir.model import OPSET


class Model(nn.Module):
    """A function as a module, with a convolution and a batch norm to call."""

    def __init__(self, function: Callable[[Model, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.up = nn.ConvTranspose2d(3, 3, 2, stride=2)
        nn.init.normal_(self.norm.running_mean)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


def exported(model: nn.Module, x: torch.Tensor) -> ExportedProgram:
    return export(model.eval(), (x.clone(),), strict=False)


def check(model: nn.Module, x: torch.Tensor) -> None:
    program = to_onnx(exported(model, x))
    session = onnxruntime.InferenceSession(ir.to_proto(program).SerializeToString())
    (result,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(result, model(x.clone()).detach().numpy(), rtol=1e-5, atol=1e-6)


def _residual(m: Model, x: torch.Tensor) -> torch.Tensor:
    y = m.norm(m.conv(x)).relu_()
    y += m.conv(y).sigmoid_()
    return nn.functional.adaptive_avg_pool2d(m.up(y).mul_(2.0), 1).flatten(1)


def _mask(m: Model, x: torch.Tensor) -> torch.Tensor:
    return ((x > 0) & (x < 1)).to(torch.float32).to("cpu") * nn.functional.dropout(
        m.conv(x), training=False, inplace=True
    )


def _read_before(m: Model, x: torch.Tensor) -> torch.Tensor:
    y = m.conv(x)
    before = y * 2
    y.relu_()
    return before + y


def _parts_written(m: Model, x: torch.Tensor) -> torch.Tensor:
    mask = x.new_zeros(8, 8)
    for k, rows in enumerate((slice(0, -4), slice(-4, -2), slice(-2, None))):
        mask[rows, rows] = k + 1.0
    y = m.conv(x)
    before = y * 2
    y[:, 1:, ::2] = x[:, 1:, ::2]
    y[:, :1].zero_()
    return y * mask + before


def _part_kept(m: Model, x: torch.Tensor) -> torch.Tensor:
    return m.conv(x)[:, 1:].relu_() + 1


@pytest.mark.parametrize("function", [_residual, _mask, _read_before, _parts_written, _part_kept])
def test_functional_without_a_second_trace(function: Callable[[Model, torch.Tensor], torch.Tensor]) -> None:
    x = torch.randn(2, 3, 8, 8)
    assert make_functional(exported(Model(function), x))
    check(Model(function), x)


def _view_before(m: Model, x: torch.Tensor) -> torch.Tensor:
    y = m.conv(x)
    first = y[:, 0]
    y.relu_()
    return first * 1.0


def _view_changed(m: Model, x: torch.Tensor) -> torch.Tensor:
    y = m.conv(x)
    y[:, 0].relu_()
    return y


def _part_held(m: Model, x: torch.Tensor) -> torch.Tensor:
    y = m.conv(x)
    rows = y[:, :, 2:6]
    y[:, :, 4:] = 0.5
    return rows + 1


def _part_and_whole(m: Model, x: torch.Tensor) -> torch.Tensor:
    y = m.conv(x)
    rows = y[:, :, 2:6].relu_()
    y[:, :, 4:] = 0.5
    return nn.functional.pad(rows, (0, 0, 2, 2)) + y


def _input_changed(m: Model, x: torch.Tensor) -> torch.Tensor:
    return x.relu_() + x


def _half_stays_half(m: Model, x: torch.Tensor) -> torch.Tensor:
    return (x * 1.0).to(torch.float16).mul(0.5).add_(x).to(torch.float32)


def _by_its_own_statistics(m: Model, x: torch.Tensor) -> torch.Tensor:
    return torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False).relu_()


@pytest.mark.parametrize("function", [_view_before, _view_changed, _input_changed, _part_held, _part_and_whole])
def test_shared_memory_is_left_to_torch(function: Callable[[Model, torch.Tensor], torch.Tensor]) -> None:
    x = torch.randn(2, 3, 8, 8)
    program = exported(Model(function), x)
    assert not make_functional(program)
    check(Model(function), x)


@pytest.mark.parametrize("function", [_half_stays_half, _by_its_own_statistics])
def test_other_types_and_forms_are_left_to_torch(function: Callable[[Model, torch.Tensor], torch.Tensor]) -> None:
    program = exported(Model(function), torch.randn(2, 3, 8, 8))
    assert not make_functional(program)


def _set(value: torch.Tensor, number: float) -> torch.Tensor:
    value[::2, 1:] = number
    return value


STEPS: dict[str, Callable[[list[torch.Tensor], int], torch.Tensor]] = {
    "new": lambda values, i: values[i] * 1.5 + 0.25,
    "relu_": lambda values, i: values[i].relu_(),
    "tanh_": lambda values, i: values[i].tanh_(),
    "add_": lambda values, i: values[i].add_(values[0] * 1),
    "rows": lambda values, i: values[i].transpose(0, 1),
    "first": lambda values, i: values[i].narrow(0, 0, 4),
    "view": lambda values, i: values[i].view_as(values[i]),
    "part": lambda values, i: torch.cat([values[i][1:3].tanh_(), values[i][:2]]),
    "copy": lambda values, i: _set(values[i].clone(), 2.5),
    "set": lambda values, i: _set(values[i], -1.5),
    "sum": lambda values, i: values[i] + values[-1],
}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 7)), min_size=1, max_size=8))
def test_any_chain_of_views_and_mutations(steps: list[tuple[str, int]]) -> None:
    """Sums of all values that were ever computed depend on every change through every alias."""

    def run(m: Model, x: torch.Tensor) -> torch.Tensor:
        values = [x * 1.0]
        for name, i in steps:
            values.append(STEPS[name](values, i % len(values)))
        return torch.stack([v + 0.0 for v in values])

    check(Model(run), torch.randn(4, 4, generator=torch.Generator().manual_seed(0)))


def _translations(registry: _registration.ONNXRegistry) -> dict[object, list[tuple[object, bool]]]:
    return {op: [(f.onnx_function, f.is_complex) for f in found] for op, found in registry.functions.items()}


def test_translations_are_the_exporters_own() -> None:
    exporters = _registration.ONNXRegistry.from_torchlib(opset_version=OPSET)
    assert _translations(full_registry()) == _translations(exporters)
    taken = FRESH | SHARING | {operator.getitem}
    ours = registry_for(taken)
    assert all(ours.get_decomps(op) for op in taken)
    assert _translations(ours).items() <= _translations(exporters).items()
