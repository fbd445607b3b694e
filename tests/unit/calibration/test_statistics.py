"""Statistics: what is added up is what was there, in any order and in any parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgec.calibration.statistics import Statistics, from_arrays, merged, to_arrays

FLOATS = st.floats(-(2.0**98), 2.0**98, width=32)
ARRAYS = arrays.arrays(np.float32, st.integers(1, 40), elements=FLOATS)


def seen(*samples: np.ndarray) -> Statistics:
    found = Statistics()
    for sample in samples:
        found.add(sample)
    return found


@given(st.lists(ARRAYS, min_size=1, max_size=6))
def test_the_whole_is_the_sum_of_its_parts(samples: list[np.ndarray]) -> None:
    whole, parts = seen(*samples), merged([seen(sample) for sample in samples])
    one, other = np.cumsum(whole.histogram.counts), np.cumsum(parts.histogram.counts)
    assert np.all(one[:-1] <= other[1:])  # a value next to an edge may count in either bin
    assert np.all(other[:-1] <= one[1:])
    assert (whole.count, whole.low, whole.high, whole.zeros) == (parts.count, parts.low, parts.high, parts.zeros)
    everything = np.concatenate(samples)
    assert whole.histogram.counts.sum() == whole.count == everything.size
    assert (whole.low, whole.high) == (everything.min(), everything.max())


@given(ARRAYS)
def test_each_value_lies_in_its_bin(sample: np.ndarray) -> None:
    found = seen(sample)
    counts, edges = found.histogram.counts, found.histogram.edges
    for value in sample.astype(float):
        place = int(np.searchsorted(edges, value, side="right")) - 1
        assert counts[max(place - 1, 0) : place + 2].any()
    assert found.histogram.edges[-1] >= np.abs(sample).max()


def test_at_least_a_thousand_bins_cover_what_was_seen() -> None:
    found = seen(np.float32([0.0, 1.0]), np.float32([3.7]))
    assert 3.7 / found.histogram.width > 900


@given(st.dictionaries(st.text(min_size=1, max_size=5).filter(lambda t: "\0" not in t), ARRAYS, max_size=4))
def test_stored_statistics_are_the_same(values: dict[str, np.ndarray]) -> None:
    found = {name: seen(array) for name, array in values.items()}
    again = from_arrays(to_arrays(found))
    assert list(again) == list(found)
    for name, one in found.items():
        other = again[name]
        assert np.array_equal(one.histogram.counts, other.histogram.counts)
        assert (one.low, one.high, one.histogram.power) == (other.low, other.high, other.histogram.power)


def test_what_is_not_finite_is_counted_apart() -> None:
    found = seen(np.float32([1, np.nan, np.inf, -2]))
    assert (found.count, found.infinite, found.low, found.high) == (2, 2, -2, 1)
    assert seen(np.float32([np.nan])).count == 0


@pytest.mark.parametrize(("array", "constant"), [([2, 2], True), ([2, 3], False)])
def test_constants(array: list[float], constant: bool) -> None:
    assert seen(np.float32(array)).is_constant is constant
