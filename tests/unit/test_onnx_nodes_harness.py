"""The conformance harness: outcomes, bound parameters, tolerances, and expectations strict in both directions."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pytest

from edgec.diag import error
from tests.conformance.onnx_nodes import binding, expectations
from tests.conformance.onnx_nodes.cases import Case
from tests.conformance.onnx_nodes.compare import Tolerance, difference
from tests.conformance.onnx_nodes.engine import CRASHED, PASSED, REFUSED, WRONG, Result, run_case
from tests.conformance.onnx_nodes.expectations import Expected


def case(expected: np.ndarray | None = None) -> Case:
    """y = Reshape(x, shape)."""
    x, shape = np.arange(6, dtype=np.float32), np.asarray([2, 3])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "reshape",
        [onnx.helper.make_tensor_value_info("x", 1, [6]), onnx.helper.make_tensor_value_info("shape", 7, [2])],
        [onnx.helper.make_tensor_value_info("y", 1, [2, 3])],
    )
    y = x.reshape(2, 3) if expected is None else expected
    model = onnx.helper.make_model(graph)
    return Case("test_reshape", "node", "Reshape", model, {"x": x, "shape": shape}, {"y": y}, 1e-3, 1e-7)


@dataclass
class Fake:
    """An engine that returns an array, or raises; `needs_constants` refuses shapes that are inputs."""

    answer: Any = None
    needs_constants: bool = False
    name: str = "fake"
    intro: str = ""
    binds: bool = True
    tolerance: Tolerance = field(default_factory=Tolerance)

    def run(self, model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        if self.needs_constants and "shape" in inputs:
            raise error("E0412", "no lowering", notes=["why", "rejected by `reshape-dynamic` (1 of 1 ops)"])
        if isinstance(self.answer, Exception):
            raise self.answer
        return [np.arange(6, dtype=np.float32).reshape(2, 3) if self.answer is None else self.answer]


def test_outcomes() -> None:
    assert run_case(Fake(), case()).outcome == PASSED
    assert run_case(Fake(np.zeros((2, 3), np.float32)), case()).outcome == WRONG
    assert run_case(Fake(KeyError("oops")), case()).outcome == CRASHED
    assert run_case(Fake(error("E0602", "the runner refuses")), case()).outcome == CRASHED
    refused = run_case(Fake(error("E0303", "not here", notes=["rejected by `some-label`"])), case())
    assert (refused.outcome, refused.label) == (REFUSED, "some-label")


def test_parameters_are_bound_only_where_they_must_be() -> None:
    assert run_case(Fake(), case()).bound == ""
    result = run_case(Fake(needs_constants=True), case())
    assert (result.outcome, result.bound) == (PASSED, "parameters")
    bound = binding.bind(case(), "parameters")
    assert list(bound.inputs) == ["x"]
    assert [t.name for t in bound.model.graph.initializer] == ["shape"]
    onnx.checker.check_model(bound.model)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (np.ones((3, 2), np.float32), "shape"),
        (np.ones((2, 3)), "type"),
        (np.full((2, 3), np.nan, np.float32), "expected 1"),
        (np.full((2, 3), 1.01, np.float32), "differ"),
        (np.full((2, 3), 1.0005, np.float32), ""),
    ],
)
def test_differences(found: np.ndarray, said: str) -> None:
    wrong = difference(case(np.ones((2, 3), np.float32)), [found], Tolerance())
    assert said in wrong
    assert bool(wrong) == bool(said)


def test_an_engine_may_widen_the_tolerance_but_not_the_kind() -> None:
    ones = case(np.ones((2, 3), np.float32))
    assert not difference(ones, [np.full((2, 3), 1.01)], Tolerance(relative=0.02, same_types=False))
    assert difference(ones, [np.ones((2, 3), np.int32)], Tolerance(relative=0.02, same_types=False))


def test_expectations_are_strict_both_ways() -> None:
    table = {"a": Expected(REFUSED, "label"), "b": Expected(PASSED, "parameters"), "c": Expected(WRONG, "a-reason")}
    same = [
        Result("a", REFUSED, "label"),
        Result("b", PASSED, bound="parameters"),
        Result("c", WRONG),
        Result("d", PASSED),
    ]
    assert expectations.surprises(table, same) == []
    for other in (
        Result("a", PASSED),
        Result("a", REFUSED, "other"),
        Result("b", PASSED),
        Result("c", PASSED),
        Result("c", CRASHED),
        Result("d", REFUSED, "label"),
        Result("d", PASSED, bound="parameters"),
    ):
        assert len(expectations.surprises(table, [other])) == 1, other


def test_updating_keeps_the_reason_of_what_is_still_wrong() -> None:
    old = {"c": Expected(WRONG, "a-reason"), "e": Expected(REFUSED, "gone")}
    new = expectations.update(old, [Result("c", WRONG, detail="as before"), Result("e", PASSED)])
    assert new["c"].mark == "a-reason"
    assert new["e"] == expectations.PLAIN_PASS
