"""The syntax of `--dynamic`, and the sizes at which a model is tested."""

import numpy as np
import pytest

from edgec.diag import EdgecError
from edgec.frontend.dynamic import DynamicDim, check_dims, fitting, parse_dynamic, parse_dynamics, resized, sizes
from edgec.ir.dims import UNBOUNDED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x:0=batch", [DynamicDim("x", 0, "batch", 1, UNBOUNDED)]),
        ("x:0=batch:1..16", [DynamicDim("x", 0, "batch", 1, 16)]),
        ("x:1=8..", [DynamicDim("x", 1, "x_1", 8, UNBOUNDED)]),
        (
            "image:0=n,2..3=8..512",
            [DynamicDim("image", 0, "n"), *(DynamicDim("image", i, f"image_{i}", 8, 512) for i in (2, 3))],
        ),
        ("x:0=n:[1,4],2..3=[224, 320]", [DynamicDim("x", 0, "n", 1, 4, (1, 4)),
         *(DynamicDim("x", i, f"x_{i}", 224, 320, (224, 320)) for i in (2, 3))]),
        ("x:2..3=side:8..64", [DynamicDim("x", 2, "side", 8, 64), DynamicDim("x", 3, "side", 8, 64)]),
    ],
)  # fmt: skip
def test_what_can_be_written(text, expected):
    assert parse_dynamic(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "x:0",
        "x:0=",
        ":0=n",
        "x:a=n",
        "x:0=9..2",
        "x:0=0..4",
        "x:0=n..m",
        "x:0=n:4..4",
        "x:0=[4]",
        "x:3..1=n",
        "x:9999999999..99999999999=n",
        "x:0=n:1..99999999999999999999",
        "x:0=n,",
        "x:0=[]",
        "x:0=[1,0]",
        "x:0=[1",
        "x:0=[a]",
    ],
)
def test_what_cannot(text):
    with pytest.raises(EdgecError) as caught:
        parse_dynamic(text)
    assert caught.value.diagnostics[0].code == "E0101"


@pytest.mark.parametrize("text", ["y:0=n", "x:3=n", "x:0=n:1..2,1=n:1..3", "x:0=[1,2],1=[1,2,3]"])
def test_dimensions_that_do_not_fit_the_model(text):
    with pytest.raises(EdgecError):
        check_dims(parse_dynamic(text), {"x": (1, 2)})


@pytest.mark.parametrize("texts", [("x:0=n:2..4", "y:1=n"), ("y:1=n", "x:0=n:2..4"), ("x:0=n:[2,4]", "y:1=n")])
def test_a_range_holds_for_its_name(texts):
    dims = parse_dynamics(texts)
    check_dims(dims, {"x": (2,), "y": (1, 2)})
    assert {(dim.low, dim.high) for dim in dims} == {(2, 4)}
    assert {(dim.input, dim.axis) for dim in dims} == {("x", 0), ("y", 1)}
    with pytest.raises(EdgecError, match="two ranges"):
        check_dims(parse_dynamics(("x:0=n:2..4", "y:1=n:1..")), {"x": (2,), "y": (1, 2)})


def test_sizes_stay_in_range_and_near_the_example():
    dims = [*parse_dynamic("x:0=n:2..9,1=4..")]
    found = sizes(dims, {"x": np.zeros((3, 5))})
    assert found[0] == {"n": 2, "x_1": 4}
    assert found[1] == {"n": 7, "x_1": 11}
    assert all(2 <= size["n"] <= 9 and size["x_1"] >= 4 for size in found)
    assert sizes([], {"x": np.zeros(1)}) == []


def test_listed_sizes_go_together():
    dims = parse_dynamic("x:0=n:1..8,2..3=[32,16,64]")
    found = sizes(dims, {"x": np.zeros((2, 3, 16, 16))})
    assert [(s["x_2"], s["x_3"]) for s in found] == [(32, 32), (16, 16), (64, 64)]
    assert fitting(dims, {"n": 2, "x_2": 16, "x_3": 16}) == {"n": 2, "x_2": 16, "x_3": 16}
    assert fitting(dims, {"n": 9, "x_2": 17, "x_3": 16}) == {"n": 8, "x_2": 32, "x_3": 32}
    assert fitting(parse_dynamic("x:0=[1,4]"), {"x_0": 1}) == {"x_0": 4}


def test_resized_examples_repeat_their_elements():
    ids = np.arange(3).reshape(1, 3)
    (larger,) = [resized({"x": ids}, parse_dynamic("x:1=n"), {"n": 5})["x"]]
    assert larger.tolist() == [[0, 1, 2, 0, 1]]


def test_a_dimension_is_given_once():
    dims = [*parse_dynamic("x:0=n"), *parse_dynamic("x:0=m")]
    with pytest.raises(EdgecError, match="given twice"):
        check_dims(dims, {"x": (2, 3)})
