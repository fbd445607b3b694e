"""Weights in few bits: nearest steps, scales that minimize the error, axes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgec.quantization.parameters import Quantization
from edgec.quantization.weights import quantized
from edgec.spec.numerics import NumberFormat

INT8 = NumberFormat("int8", "channel")
INT4 = NumberFormat("int4", "channel")


def error(weights: np.ndarray, form: NumberFormat, axis: int = 0) -> float:
    steps, found = quantized(weights, form, axis)
    return float(np.square(found.numbers(steps) - weights).sum())


@given(st.integers(0, 2**31), st.sampled_from([INT8, INT4]), st.integers(0, 2))
def test_errors_are_no_larger_than_those_of_the_whole_range(seed: int, form: NumberFormat, axis: int) -> None:
    rng = np.random.default_rng(seed)
    weights = (rng.standard_normal((3, 4, 5)) * 10.0 ** rng.uniform(-6, 3)).astype(np.float32)
    steps, found = quantized(weights, form, axis)
    assert steps.min() >= -form.limits[1]
    assert steps.max() <= form.limits[1]
    assert (len(found.scales), found.axis, set(found.zero_points)) == (weights.shape[axis], axis, {0})
    shape = [1, 1, 1]
    shape[axis] = -1
    whole = np.abs(np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)).max(1) / form.limits[1]
    plain = np.rint(weights / whole.reshape(shape)) * whole.reshape(shape)
    assert error(weights, form, axis) <= np.square(plain - weights).sum() * 1.001 + 1e-30


def test_four_bits_clip_an_outlier() -> None:
    """One weight of 4 among a thousand around 0.1: the others matter more."""
    weights = np.random.default_rng(0).normal(0, 0.1, (1, 1000)).astype(np.float32)
    weights[0, 0] = 1.0
    _, found = quantized(weights, INT4, 0)
    assert found.scales[0] < 1.0 / 7 * 0.7


@pytest.mark.parametrize("value", [0.0, 1e-30, 3e38])
def test_extreme_channels_stay_finite(value: float) -> None:
    weights = np.full((2, 8), value, np.float32)
    steps, found = quantized(weights, INT8, 0)
    assert np.allclose(found.numbers(steps), weights, rtol=1e-2)
    assert all(np.isfinite(found.scales))


def test_one_scale_for_a_tensor() -> None:
    _, found = quantized(np.ones((2, 3), np.float32), NumberFormat("int8"), 0)
    assert found.is_per_tensor


def test_steps_and_numbers_are_inverse() -> None:
    found = Quantization((0.5, 2.0), (3, -1), axis=1)
    steps = np.arange(-6, 6).reshape(2, 2, 3)[:, :, :2].transpose(0, 2, 1)
    assert np.array_equal(found.steps(found.numbers(steps), (-128, 127)), steps)
