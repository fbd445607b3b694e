"""Labelled data of every kind, and diagnostics for invalid data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgec.diag import EdgecError
from edgec.evaluation.dataset import Example, open_dataset
from edgec.evaluation.evaluate import arranged
from edgec.evaluation.images import pixel_ranges
from edgec.frontend.samples.files import Pixels
from edgec.measure.inspection import Feature


def test_rows_of_arrays(tmp_path: Path) -> None:
    file = tmp_path / "data.npz"
    np.savez(file, x=np.arange(12.0).reshape(3, 4), labels=np.array([2, 0, 1]))
    data = open_dataset(str(file))
    rows = list(data)
    assert [int(row.target) for row in rows] == [2, 0, 1]
    np.testing.assert_array_equal(rows[1].inputs["x"], np.arange(4.0, 8.0))
    assert data.count == 3
    again = open_dataset(str(file))
    list(again)
    assert again.sha256 == data.sha256


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"x": np.zeros((3, 2))}, "no array of targets"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(3), "label": np.zeros(3)}, "several arrays of targets"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(2)}, "differ in rows"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "or have none"),
    ],
)
def test_arrays_that_are_no_labelled_data(tmp_path: Path, arrays: dict[str, np.ndarray], told: str) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(EdgecError, match=told):
        list(open_dataset(str(tmp_path / "data.npz")))


def _image(path: Path, shade: int) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(path)


def test_folders_are_classes_in_the_order_of_names_or_of_labels(tmp_path: Path) -> None:
    for i, name in enumerate(("dog", "cat")):
        _image(tmp_path / name / "a.png", 50 * i)
    assert [row.target for row in open_dataset(str(tmp_path))] == [0, 1]
    assert [row.target for row in open_dataset(str(tmp_path), ("dog", "bird", "cat"))] == [2, 0]
    with pytest.raises(EdgecError, match="no label"):
        list(open_dataset(str(tmp_path), ("dog",)))


def test_an_iterable_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text(
        "import numpy as np\n"
        "def pairs():\n    yield {'x': np.zeros(2)}, 1\n    yield np.ones(2), 'dog'\n"
        "def broken():\n    yield np.zeros(2), 1\n    raise ValueError('no more')\n"
        "singles = [np.zeros(2)]\n"
    )
    rows = list(open_dataset(f"{tmp_path}/rows.py:pairs"))
    assert [row.target for row in rows] == [1, "dog"]
    assert list(rows[1].inputs) == [""]
    with pytest.raises(EdgecError) as failed:
        list(open_dataset(f"{tmp_path}/rows.py:broken"))
    assert failed.value.diagnostics[0].code == "E0201"
    assert failed.value.diagnostics[0].place is not None
    with pytest.raises(EdgecError, match="not \\(inputs, target\\)"):
        list(open_dataset(f"{tmp_path}/rows.py:singles"))


def test_data_that_are_not_there_are_told_before_a_run(tmp_path: Path) -> None:
    for text, code in ((str(tmp_path / "no.npz"), "E0102"), (f"{tmp_path}/no.py:x", "E0102")):
        with pytest.raises(EdgecError) as refused:
            list(open_dataset(text))
        assert refused.value.diagnostics[0].code == code


def _no_images(pixels: Pixels, feature: Feature) -> np.ndarray:
    raise AssertionError


def test_inputs_get_the_batch_dimension_that_they_lack() -> None:
    features = [Feature("x", "float32", (1, 4)), Feature("n", "int64", (1,))]
    found = arranged(Example({"x": np.zeros(4), "n": np.asarray(3)}, 0), features, _no_images)
    assert found["x"].shape == (1, 4)
    assert found["x"].dtype == np.float32
    assert found["n"].shape == (1,)


@pytest.mark.parametrize(
    "inputs",
    [
        {"x": np.zeros(5), "n": np.asarray(3)},
        {"x": np.zeros(4)},
        {"x": np.zeros(4), "n": np.asarray(3), "m": np.ones(1)},
        {"x": np.zeros(4), "n": np.asarray(2.5)},
    ],
)
def test_inputs_of_another_model_are_refused(inputs: dict[str, np.ndarray]) -> None:
    features = [Feature("x", "float32", (1, 4)), Feature("n", "int64", (1,))]
    with pytest.raises(EdgecError) as refused:
        arranged(Example(inputs, 0), features, _no_images)
    assert refused.value.diagnostics[0].code == "E0107"


def test_pixels_take_the_range_that_is_asked_for() -> None:
    pixels, feature = Pixels(Image.new("RGB", (4, 4), (255, 0, 51))), Feature("x", "float32", (1, 3, 2, 2))
    found = pixel_ranges(["x=-1..1"], None)(pixels, feature)
    np.testing.assert_allclose(found[0, :, 0, 0], [1, -1, -0.6])
    with pytest.raises(EdgecError, match="not known on which range"):
        pixel_ranges([], None)(pixels, feature)
