"""Which values of two artifacts are one value of their source."""

import numpy as np
import pytest

from edgec.measure.divergence import pairs

A, B, C = (np.full((1, 2, 3), i, np.float32) for i in (1, 2, 3))


def named(first: dict, second: dict) -> list[tuple[str, str]]:
    return [(p.name, p.other) for p in pairs(first.items(), second.items())]


def test_the_same_name_comes_first() -> None:
    assert named({"a.b": A, "a_b": B}, {"a_b": B, "a.b": A}) == [("a.b", "a.b"), ("a_b", "a_b")]


def test_steps_of_a_loop_are_paired_one_by_one() -> None:
    steps = [("y", A), ("y", B), ("y", C)]
    found = pairs(steps, steps)
    assert len(found) == 3
    assert not any(p.difference.max_abs for p in found)
    assert not pairs(steps, steps[:1])  # which step it is cannot be told


@pytest.mark.parametrize("swapped", [False, True])
def test_what_was_made_in_place_of_a_value(swapped: bool) -> None:
    """Only the last one of a rewrite is the source's value; the others have counterparts of their own name alone."""
    whole = {"norm": A}
    parts = {"norm/norm-to-reduce.0": B, "norm/norm-to-reduce.1": C, "norm/norm-to-reduce.2": A}
    expected = ("norm", "norm/norm-to-reduce.2")
    assert named(parts, whole) == [expected[::-1]]
    assert named(whole, parts) == [expected]
    assert named({**parts, **whole}, whole) == [("norm", "norm")]
    assert named(parts, parts) == [(name, name) for name in parts]


def test_casts_layouts_and_reads_of_states_keep_the_value() -> None:
    assert named({"x/float16": A}, {"x": A}) == [("x/float16", "x")]
    moved = np.moveaxis(np.arange(24).reshape(1, 2, 3, 4), 1, -1)
    assert named({"x/nhwc": moved}, {"x": np.arange(24).reshape(1, 2, 3, 4)}) == [("x/nhwc", "x")]
    assert named({"past": A}, {"past/now": A, "past/next": B}) == [("past", "past/now")]


def test_other_sizes_have_no_counterpart() -> None:
    assert named({"x": A}, {"x": A[:, :1]}) == []
