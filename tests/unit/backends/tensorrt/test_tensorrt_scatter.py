"""Scatters with a reduction, in a form that TensorRT's parser supports: examples, repeats, and several sorts."""

import numpy as np
import pytest

from edgec.backends.tensorrt.dialect import TENSORRT_DIALECT
from edgec.backends.tensorrt.expand import scatter
from edgec.backends.tensorrt.expand.products import IntegerProductToReduce
from edgec.backends.tensorrt.expand.scatter import (
    RoomForIndices,
    ScatterElementsReductionToRuns,
    ScatterNDReductionToRuns,
)
from edgec.backends.tensorrt.expand.vectors import VectorToRow
from edgec.passes.constants import FoldConstants
from edgec.passes.rewrite import RewritePass
from edgec.passes.verify import evaluate
from edgec.rules.base import Example, Rule
from tests.unit.rules.test_rules import ops_of, parse, random_inputs

RULES: tuple[Rule, ...] = (
    ScatterNDReductionToRuns(),
    ScatterElementsReductionToRuns(),
    RoomForIndices(),
    IntegerProductToReduce(),
    VectorToRow(),
)
CASES = [(rule, example) for rule in RULES for example in rule.examples]
SHAPES = (
    ("ScatterND", "float[4,3,2] x, int64[7,2] i, float[7,2] u", ""),
    ("ScatterND", "float[5,2] x, int64[2,3,1] i, float[2,3,2] u", ""),
    ("ScatterND", "float[3] x, int64[1,1] i, float[1] u", ""),
    ("ScatterElements", "float[3,5] x, int64[2,8] i, float[2,8] u", "axis = 1, "),
    ("ScatterElements", "float[4,2,3] x, int64[9,2,1] i, float[9,2,1] u", "axis = -3, "),
    ("ScatterElements", "float[0,3] x, int64[0,3] i, float[0,3] u", "axis = 1, "),
)


def rewritten(example: Example, feeds: dict[str, np.ndarray] | None = None) -> list[str]:
    """The operators after the rules; asserts that the results are unchanged."""
    model = parse(example)
    feeds = random_inputs(model) | (feeds or {})
    before = evaluate(model, feeds)
    RewritePass("test", RULES).run(model)
    FoldConstants().run(model)
    for a, b in zip(before, evaluate(model, feeds), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    if example.after is not None:
        assert TENSORRT_DIALECT.check(model) == []
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_example(rule: Rule, example: Example) -> None:
    assert rewritten(example) == ops_of(example.before if example.after is None else example.after)


@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
@pytest.mark.parametrize("largest", [3840, 3])
@pytest.mark.parametrize(("op", "inputs", "axis"), SHAPES)
def test_repeats(op: str, inputs: str, axis: str, largest: int, reduction: str, monkeypatch) -> None:
    monkeypatch.setattr(scatter, "_LARGEST_SORT", largest)
    example = Example(inputs, f'y = {op}<{axis}reduction = "{reduction}">(x, i, u)', "")
    shape = random_inputs(parse(example))["i"].shape
    for least, most in ((-2, 2), (0, 1), (-1, 2)):
        places = np.random.default_rng(0).integers(least, most, shape)
        assert (op if np.prod(shape) else "Identity") in rewritten(example, {"i": places})


def test_what_is_not_finite_stays_at_its_own_place() -> None:
    example = Example("float[3,2] x, int64[4,1] i, float[4,2] u", 'y = ScatterND<reduction = "add">(x, i, u)', "")
    updates = np.array([[np.inf, 1], [2, np.nan], [3, 4], [1e30, 5]], dtype=np.float32)
    rewritten(example, {"i": np.array([[2], [0], [0], [2]]), "u": updates})


def test_more_updates_than_sorts_hold_are_refused_by_label() -> None:
    example = Example("float[3] x, int64[70000,1] i, float[70000] u", 'y = ScatterND<reduction = "add">(x, i, u)', "")
    model = parse(example)
    RewritePass("test", RULES).run(model)
    (found,) = TENSORRT_DIALECT.check(model)
    assert "rejected by `scatternd-reduction`" in found.notes
