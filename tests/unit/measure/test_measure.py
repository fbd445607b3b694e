"""Fidelity, its judgement, and samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgec.diag import EdgecError
from edgec.frontend.samples.draws import samples_like
from edgec.frontend.samples.inputs import InputSpec, match_specs
from edgec.measure.accuracy import judge
from edgec.measure.fidelity import compare, compare_all, summarize
from edgec.spec.target import Accept

FLOATS = hnp.arrays(np.float32, hnp.array_shapes(max_dims=3), elements=st.floats(-1e3, 1e3, width=32))


@given(FLOATS)
def test_an_array_equals_itself(array: np.ndarray) -> None:
    found = compare("y", array, array.copy())
    assert (found.max_abs, found.max_rel, found.psnr_db) == (0.0, 0.0, np.inf)


def test_numbers_by_hand() -> None:
    found = compare("y", np.array([3.0, -4.0]), np.array([3.0, -3.0]))
    assert found.max_abs == 1.0
    assert found.max_rel == 0.25
    assert found.worst == (1,)
    assert found.psnr_db == pytest.approx(10 * np.log10(16 / 0.5))
    assert found.cosine == pytest.approx((9 + 12) / (5 * np.sqrt(18)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_sided_special_values_are_as_wrong_as_can_be(bad: float) -> None:
    assert compare("y", np.array([1.0, 2.0]), np.array([1.0, bad])).max_rel == np.inf
    assert compare("y", np.array([1.0, bad]), np.array([1.0, bad])).max_rel == 0.0


def test_missing_output_and_wrong_shape_fail() -> None:
    worst = summarize(1, compare_all({"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(2)}))
    assert judge(worst, Accept(max_rel=1.0))
    assert judge(summarize(1, [compare("y", np.ones(2), np.ones((2, 1)))]), Accept(min_psnr_db=1.0))


def test_a_nan_fidelity_never_passes() -> None:
    fidelity = summarize(1, [compare("y", np.zeros(3), np.ones(3))])
    assert judge(fidelity, Accept(max_rel=1e9))


def test_samples_keep_ids_ids_and_masks_masks() -> None:
    examples = {"ids": np.arange(5, 9), "mask": np.ones(4, np.int64), "x": np.full((2, 2), 3.0, np.float32)}
    first, second = samples_like(examples, 2)
    assert all(np.array_equal(first[k], examples[k]) for k in examples)
    assert second["ids"].min() >= 5
    assert second["ids"].max() <= 8
    assert set(second["mask"].tolist()) <= {0, 1}


def test_input_specs() -> None:
    assert InputSpec.parse("x=1x3x8x8") == InputSpec("x", (1, 3, 8, 8))
    assert InputSpec.parse("ids=1,64:int64").dtype == "int64"
    for text in ("x", "x=1xa", "x=1:complex"):
        with pytest.raises(EdgecError):
            InputSpec.parse(text)
    with pytest.raises(EdgecError):
        match_specs(["x"], [InputSpec("y", (1,), "float32")])
