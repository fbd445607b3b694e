"""Hazards of speculation are defined once: those of torch functions and of graph operators agree."""

import pytest
import torch

from edgec.frontend.torch.autograph.operators.safe_operands import STANDS_FOR, with_safe_operands
from edgec.ops.hazards import HAZARDS

X = torch.arange(6.0).reshape(2, 3)
FAR, ZERO = torch.tensor([[7, -9, 4]]), torch.tensor([0, 2, 0])

CALLS = {
    "gather": (torch.gather, (X, 1, FAR)),
    "index_select": (torch.index_select, (X, 0, torch.tensor([5]))),
    "scatter": (torch.scatter, (X, 1, FAR, 1.0)),
    "scatter_add": (torch.scatter_add, (X, 1, FAR, torch.ones(1, 3))),
    "index_add": (torch.index_add, (X, 0, torch.tensor([9]), torch.ones(1, 3))),
    "nll_loss": (torch.nn.functional.nll_loss, (X, torch.tensor([8, 0]))),
    "__getitem__": (torch.Tensor.__getitem__, (X, torch.tensor([4]))),
    "embedding": (torch.nn.functional.embedding, (torch.tensor([11]), X)),
    "take": (torch.take, (X, torch.tensor([99]))),
    "floor_divide": (torch.floor_divide, (torch.tensor([4, 5, 6]), ZERO)),
    "remainder": (torch.remainder, (torch.tensor([4, 5, 6]), ZERO)),
}


def test_every_operator_that_fails_is_met_by_functions_of_torch() -> None:
    assert set(STANDS_FOR.values()) == {name for name, hazard in HAZARDS.items() if hazard.fails}


@pytest.mark.parametrize("name", CALLS)
def test_no_function_fails_with_safe_operands(name: str) -> None:
    function, args = CALLS[name]
    with pytest.raises((RuntimeError, IndexError)):
        function(*args)
    safe, kwargs = with_safe_operands(function, args, {})
    function(*safe, **kwargs)
