"""Masked assignments: no size depends on the data, and programs that cannot be rewritten are left as they are."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import nn

from edgec.frontend.torch.decompositions.masked import replace_masked_writes
from edgec.frontend.torch.export import to_onnx

Function = Callable[[torch.Tensor], torch.Tensor]


class Called(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self._function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._function(x)


def _number(x: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    y[y > 1] = 1.0
    return y


def _rows(x: torch.Tensor) -> torch.Tensor:
    y = x * 1
    y[x[:, 0] > 0] = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    return y


def _function_of_what_it_takes(x: torch.Tensor) -> torch.Tensor:
    y = x * 1
    y[x > 0] = torch.sqrt(x[x > 0]) + 1
    return y


def _in_place(x: torch.Tensor) -> torch.Tensor:
    y = x * 1
    y[y < 0] *= 0.1
    y[y.abs() < 0.05] += 3
    return y


def _of_a_view(x: torch.Tensor) -> torch.Tensor:
    y = x * 1
    y.transpose(0, 1)[(x > 0).transpose(0, 1)] = -1.0
    return y


def _two_masks(x: torch.Tensor) -> torch.Tensor:
    y = x * 1
    y[x > 0] = torch.flip(x, [1])[torch.flip(x, [1]) > 0]
    return y


def _changed_between(x: torch.Tensor) -> torch.Tensor:
    y = x * 1
    mask = y > 0
    taken = y[mask]
    y.mul_(2)
    y[mask] = taken
    return y


def _order_matters(x: torch.Tensor) -> torch.Tensor:
    y = x * 1
    y[x > 0] = torch.cumsum(x[x > 0], 0)
    return y


def run(function: Function, x: torch.Tensor) -> tuple[set[str], torch.Tensor]:
    """The ONNX operators after the rewrite, and their results for `x` (the program was exported for other data)."""
    program = torch.export.export(Called(function).eval(), (torch.randn(4, 5),), strict=False)
    replace_masked_writes(program)
    model = to_onnx(program)
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    return {node.op_type for node in model.graph}, torch.from_numpy(found)


SETTLED = [_number, _rows, _function_of_what_it_takes, _in_place, _of_a_view]
LEFT = [_two_masks, _changed_between, _order_matters]


@pytest.mark.parametrize("function", [*SETTLED, *LEFT])
def test_assignments_through_masks(function: Function) -> None:
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    operators, found = run(function, x)
    torch.testing.assert_close(found, function(x.clone()))
    assert ("NonZero" in operators) == (function in LEFT)
