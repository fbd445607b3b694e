"""How samples are drawn: integers repeat and include their bounds, and constants of the example vary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgec.frontend.samples.draws import STRAINS, samples_like, strained

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
DTYPES = st.sampled_from([np.float32, np.float16, np.float64, np.int64, np.int32, np.uint8, np.int8, np.bool_])


@given(st.data(), SHAPES, DTYPES)
def test_every_draw_has_the_examples_shape_and_type(data: st.DataObject, shape: tuple[int, ...], dtype: type) -> None:
    elements = None if np.dtype(dtype).kind in "iub" else st.floats(-100, 100, width=16)
    example = {"x": data.draw(hnp.arrays(dtype, shape, elements=elements))}
    for drawn in (*samples_like(example, 5), *(strained(example, s) for s in STRAINS)):
        assert drawn["x"].shape == shape
        assert drawn["x"].dtype == dtype
        assert np.isfinite(drawn["x"].astype(np.float64)).all()


def test_draws_are_the_same_each_time() -> None:
    example = {"x": np.arange(6, dtype=np.float32), "ids": np.arange(6)}
    for first, second in zip(samples_like(example, 4), samples_like(example, 4), strict=True):
        assert all(np.array_equal(first[name], second[name]) for name in example)


def test_integers_repeat_run_and_reach_their_ends() -> None:
    ids = np.array([[3, 9, 4, 7, 5, 6, 8, 2]])
    _, _, runs, same = (drawn["ids"] for drawn in samples_like({"ids": ids}, 4))
    assert np.array_equal(runs, np.sort(runs))
    assert (runs.min(), runs.max()) == (2, 9)
    assert len(np.unique(runs)) < runs.size
    assert len(np.unique(same)) == 1
    seen = np.concatenate([strained({"ids": ids}, strain)["ids"].ravel() for strain in STRAINS])
    assert {0, 1, 2, 9} <= set(seen.tolist())
    assert seen.min() < 0
    assert seen.max() > 18


def test_zeros_of_both_signs_are_drawn() -> None:
    zeros = [v for s in STRAINS for v in strained({"x": np.ones(400, np.float32)}, s)["x"] if v == 0]
    assert {bool(np.signbit(v)) for v in zeros} == {True, False}


def test_bytes_take_their_whole_range() -> None:
    image = np.full((1, 64, 64, 3), 128, np.uint8)
    seen = np.concatenate([strained({"x": image}, strain)["x"].ravel() for strain in STRAINS])
    assert (seen.min(), seen.max()) == (0, 255)


@pytest.mark.parametrize("constant", [0.0, 1.0, 128.0])
def test_a_constant_example_varies(constant: float) -> None:
    _, drawn = samples_like({"x": np.full((4, 4), constant, np.float32)}, 2)
    assert drawn["x"].std() > 0.5 * (constant or 1.0)


def test_masks_are_all_none_and_whole_rows() -> None:
    mask = np.ones((4, 6), np.bool_)
    drawn = [s["mask"] for s in samples_like({"mask": mask}, 3)] + [
        strained({"mask": mask}, s)["mask"] for s in STRAINS
    ]
    assert any(m.all() for m in drawn)
    assert any(not m.any() for m in drawn)
    assert any((m.all(-1) | ~m.any(-1)).all() and 0 < m.sum() < m.size for m in drawn)


@pytest.mark.parametrize(("dtype", "own"), [(np.int64, 1), (np.int64, 77), (np.float32, 1.0)])
def test_single_numbers_take_small_and_large_values(dtype: type, own: float) -> None:
    step = {"t": np.asarray(own, dtype)}
    seen = {float(s["t"]) for s in samples_like(step, 4)} | {float(strained(step, s)["t"]) for s in STRAINS}
    assert {0.0, 1.0, 2.0, 3.0, 1000.0} <= seen
