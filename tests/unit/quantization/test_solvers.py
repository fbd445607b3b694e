"""Solvers: zero is a step, ranges hold what they should, and each method beats the others at what it is for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgec.calibration.statistics import Statistics
from edgec.quantization.solvers import METHODS, of_range, solved
from edgec.spec.numerics import NumberFormat

ASYMMETRIC = NumberFormat("int8", symmetric=False)
FORMS = [
    ASYMMETRIC,
    NumberFormat("int8"),
    NumberFormat("uint8", symmetric=False),
    NumberFormat("uint8"),
    NumberFormat("int16"),
    NumberFormat("int4", symmetric=False),
]


def seen(array: np.ndarray) -> Statistics:
    found = Statistics()
    for part in np.array_split(array, 4):
        found.add(part)
    return found


def error(array: np.ndarray, form: NumberFormat, method: str) -> float:
    found = solved(seen(array), form, method)
    return float(np.square(found.numbers(found.steps(array, form.limits)) - array).mean())


@given(
    st.sampled_from(FORMS),
    st.sampled_from(sorted(METHODS)),
    st.integers(0, 2**31),
    st.floats(-1e6, 1e6),
    st.sampled_from([0.0, 1e-6, 1.0, 1e6]),
)
def test_zero_is_a_step_and_scales_are_sound(
    form: NumberFormat, method: str, seed: int, mean: float, deviation: float
) -> None:
    array = np.random.default_rng(seed).normal(mean, deviation, 300).astype(np.float32)
    found = solved(seen(array), form, method)
    least, most = form.limits
    assert np.isfinite(found.scale)
    assert found.scale > 0
    assert least <= found.zero_point <= most
    assert found.numbers(found.steps(np.zeros(1), form.limits)) == 0
    if form.symmetric:
        assert found.zero_point == (0 if least < 0 else 128)


@given(st.integers(0, 2**31), st.sampled_from(FORMS))
def test_min_max_holds_everything_to_half_a_step(seed: int, form: NumberFormat) -> None:
    rng = np.random.default_rng(seed)
    array = (rng.normal(rng.uniform(-3, 3), 1, 500)).astype(np.float32)
    found = solved(seen(array), form, "min-max")
    apart = np.abs(found.numbers(found.steps(array, form.limits)) - array)
    assert apart.max() <= found.scale * 1.01  # half a step, and half of one that the zero point's rounding takes


SHAPES = {
    "normal": lambda rng: rng.normal(0, 1, 20000),
    "heavy tail": lambda rng: rng.standard_t(3, 20000),
    "rectified": lambda rng: np.maximum(rng.normal(-1, 2, 20000), 0),
    "shifted": lambda rng: rng.normal(6, 1, 20000),
    "one outlier": lambda rng: np.append(rng.normal(0, 1, 20000), 400.0),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_least_squares_is_no_worse_than_any_other(shape: str, form: NumberFormat) -> None:
    array = SHAPES[shape](np.random.default_rng(1)).astype(np.float32)
    best = error(array, form, "mse")
    for method in METHODS:
        assert best <= error(array, form, method) * 1.05, method


def test_asymmetric_ranges_of_rectified_values_have_twice_the_steps() -> None:
    array = np.maximum(np.random.default_rng(0).normal(0, 1, 5000), 0).astype(np.float32)
    assert error(array, ASYMMETRIC, "mse") < 0.4 * error(array, NumberFormat("int8"), "mse")


def test_an_outlier_is_clipped_where_it_costs_the_others() -> None:
    array = np.append(np.random.default_rng(0).normal(0, 1, 100000), 60.0).astype(np.float32)
    assert solved(seen(array), NumberFormat("int4"), "mse").scale < 60 / 7 / 4
    assert solved(seen(array), ASYMMETRIC, "percentile").scale < 60 / 255


def test_what_was_never_seen_has_a_scale() -> None:
    assert solved(Statistics(), ASYMMETRIC).scale > 0
    assert of_range((0.0, 0.0), ASYMMETRIC).scale > 0
