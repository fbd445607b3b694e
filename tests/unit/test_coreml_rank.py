"""Transposes of many dimensions are the same transposes of few."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgec.backends.coreml.expand.rank import merged

SHAPES = st.integers(1, 7).flatmap(
    lambda rank: st.tuples(st.tuples(*[st.integers(1, 3)] * rank), st.permutations(range(rank)))
)


@given(SHAPES)
def test_merging_moves_every_element_alike(case: tuple[tuple[int, ...], list[int]]) -> None:
    shape, perm = case
    array = np.arange(np.prod(shape)).reshape(shape)
    sizes, small = merged(shape, tuple(perm))
    assert np.array_equal(array.reshape(sizes).transpose(small).reshape(-1), array.transpose(perm).reshape(-1))
    assert len(sizes) <= len(shape)


def test_window_partition_has_four_dimensions() -> None:
    assert merged((1, 8, 7, 8, 7, 96), (0, 1, 3, 2, 4, 5)) == ((8, 7, 8, 672), (0, 2, 1, 3))
