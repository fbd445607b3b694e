"""Questions about a tensor's form go around the modes, but for those that have an answer of their own."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch

from edgec.frontend.torch.autograph.analysis.free_tensors import Collect, Substitute
from edgec.frontend.torch.autograph.converters.exception_handlers import called_functions
from edgec.frontend.torch.overrides.function_mode import METADATA_QUERIES, FunctionMode, tensors_among
from edgec.frontend.torch.precision.half import Widened
from edgec.frontend.torch.state.locations import is_same_tensor


class Noting(FunctionMode):
    """Counts the calls that it intercepts."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.seen += 1
        return function(*args, **kwargs)


class Seeing(Noting):
    sees_metadata: ClassVar[bool] = True


def test_forms_go_around_the_modes_and_computations_through_all_of_them():
    x = torch.ones(2, 3)
    with Noting() as outer, Noting() as inner:
        assert (x.shape, x.dtype, x.size(), x.numel()) == ((2, 3), torch.float32, (2, 3), 6)
        assert x.is_floating_point()
        assert (outer.seen, inner.seen) == (0, 0)
        assert x.size(1) == 3
        (x + 1).sum()
    assert outer.seen == inner.seen == 3


def test_forms_go_through_all_while_one_mode_sees_them():
    x = torch.ones(2)
    with Noting() as outer:
        with Seeing() as inner:
            assert x.shape == (2,)
        assert (outer.seen, inner.seen) == (1, 1)
        assert x.shape == (2,)
        assert outer.seen == 1


def test_a_tensor_that_is_asked_for_its_form_alone_is_collected_and_substituted():
    x, y = torch.ones(2), torch.ones(3)
    with Collect([]) as used:
        assert x.shape == (2,)
    assert list(used.found.values()) == [x]
    with Substitute({id(x): y}):
        assert x.shape == (3,)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_single_where_it_is_computed_in_single(half):
    x = torch.ones(2, dtype=half)
    with Widened(rounds=True) as precision:
        assert x.dtype == torch.float32
        assert precision.seen


def test_a_kind_of_tensor_with_answers_of_its_own_keeps_them():
    class Scaled(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            if function == torch.Tensor.shape.__get__:
                return (7,)
            return super().__torch_function__(function, types, args, kwargs or {})

    with Noting():
        assert torch.ones(2).as_subclass(Scaled).shape == (7,)


def test_every_form_tells_of_one_tensor_without_a_mode_as_with_one():
    x = torch.ones(2, 3)[:, 1:]
    plain = [function(x) for function in METADATA_QUERIES]
    with Noting():
        assert [function(x) for function in METADATA_QUERIES] == plain


def test_tensors_are_found_in_structures():
    a, b, c = torch.ones(1), torch.ones(2), torch.ones(3)
    found = tensors_among(a, 1, None, "x", [b, {"c": c}], torch.float32, slice(None))
    assert [id(t) for t in found] == [id(t) for t in (a, b, c)]


def test_tensors_are_compared_without_the_modes_and_nan_agrees_with_nan():
    a, b = torch.tensor([1.0, float("nan")]), torch.tensor([2.0, float("nan")])
    with Noting() as mode:
        assert is_same_tensor(a, a.detach().clone())
        before = mode.seen
        assert not is_same_tensor(a, b)
        assert mode.seen == before


def test_a_function_that_is_called_often_is_met_once_and_before_it_runs():
    log: list[str] = []

    def of_the_user(i: int) -> None:
        log.append(f"run {i}")

    with called_functions(set(), lambda frame: log.append(f"meet {frame.f_code.co_name}")):
        for i in range(3):
            of_the_user(i)
    assert log == ["meet of_the_user", "run 0", "run 1", "run 2"]
