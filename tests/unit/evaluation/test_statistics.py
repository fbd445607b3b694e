"""Intervals and paired tests against scipy, and against what they promise: coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from edgec.evaluation.statistics import bootstrap, paired_bootstrap, paired_proportions, proportion

ANSWERS = st.lists(st.booleans(), min_size=1, max_size=80)


@given(ANSWERS)
def test_the_interval_of_a_proportion_is_wilsons(answers: list[bool]) -> None:
    found = proportion(np.asarray(answers, float))
    expected = binomtest(sum(answers), len(answers)).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
def test_the_paired_test_is_mcnemars(pairs: list[tuple[bool, bool]]) -> None:
    before, after = np.asarray(pairs, float).T
    found = paired_proportions(before, after)
    gained, lost = sum(b and not a for a, b in pairs), sum(a and not b for a, b in pairs)
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert found.p_value == pytest.approx(min(1.0, expected))
    assert found.low <= found.value <= found.high
    assert found.value == pytest.approx(after.mean() - before.mean())


def test_intervals_cover_as_they_say() -> None:
    """Of 300 data sets, 95 % ± three standard errors."""
    rng, truth = np.random.default_rng(0), 0.0
    covered = 0
    for i in range(300):
        found = bootstrap(lambda r: float(np.mean(np.asarray(r, float))), rng.normal(truth, 1, (60, 1)), seed=i)
        covered += found.low <= truth <= found.high
    assert 0.95 - 3 * (0.95 * 0.05 / 300) ** 0.5 <= covered / 300 <= 1


def test_a_paired_difference_sees_what_two_intervals_do_not() -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(0, 1, (200, 1))
    after = before + 0.05 + rng.normal(0, 0.05, (200, 1))
    found = paired_bootstrap(lambda r: float(np.mean(np.asarray(r, float))), before, after)
    assert found.low > 0
    assert found.is_significant
    assert not paired_bootstrap(lambda r: float(np.mean(np.asarray(r, float))), before, before).is_significant
