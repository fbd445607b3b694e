"""Ranges of inputs: how they are declared, which are inferred, and what follows for integers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.backends.coreml.integers import check_integers, limits
from edgec.backends.coreml.options import CoreMLOptions, Image
from edgec.backends.coreml.precision.unbounded_inputs import undeclared
from edgec.calibration.calibration import Calibration
from edgec.compiler.input_ranges import check_ranges, with_ranges
from edgec.compiler.samples import sample
from edgec.diag import EdgecError
from edgec.frontend.imported import ImportedModel, SourceId
from edgec.frontend.samples.ranged import at_ends, clipped, spread
from edgec.spec.ranges import InputRange, parse_range, parse_ranges
from edgec.spec.target import load_target


def model_of(body: str, inputs: str, constants: str = "") -> ir.Model:
    text = f'<ir_version: 10, opset_import: ["" : 23]> g ({inputs}) => (float y) <{constants}> {{ {body} }}'
    proto = onnx.parser.parse_model(text)
    proto.graph.output[0].type.Clear()
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("x=0..255", 0, 255),
        ("a.b=-1..1", -1, 1),
        ("x=-3e4..3.5e4", -3e4, 3.5e4),
        (" x = .5..1. ", 0.5, 1),
        ("x=2..2", 2, 2),
    ],
)
def test_ranges_are_read(text: str, low: float, high: float) -> None:
    found = parse_range(text)
    assert (found.low, found.high, found.origin) == (low, high, "request")


@pytest.mark.parametrize(
    "text", ["x", "x=", "=0..1", "x=1", "x=1..0", "x=0..nan", "x=0..1e999", "x=1e999..1e999", "x=0...1.."]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(EdgecError) as caught:
        parse_range(text)
    assert caught.value.diagnostics[0].code == "E0101"


def test_an_input_has_one_range() -> None:
    with pytest.raises(EdgecError, match="two ranges"):
        parse_ranges(("x=0..1", "x=0..2"))


def test_a_target_says_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "targets").mkdir()
    monkeypatch.chdir(tmp_path)
    head = 'name = "mine"\nsummary = "s"\ninherits = "iphone"\n[ranges]\n'
    file = tmp_path / "targets" / "mine.toml"
    file.write_text(f"{head}x = [0, 255]\n")
    assert load_target("mine").ranges == (InputRange("x", 0, 255, "target"),)
    assert load_target("mine", ["ranges.x=[0,1]"]).ranges == (InputRange("x", 0, 1, "target"),)
    assert load_target("mine").digest() != load_target("mine", ["ranges.x=[0,1]"]).digest()
    file.write_text(f"{head}x = [255, 0]\ny = 3\n")
    with pytest.raises(EdgecError) as caught:
        load_target("mine")
    assert [(d.code, d.place and d.place.line) for d in caught.value.diagnostics] == [("E0106", 5), ("E0106", 6)]


PICKS = model_of(
    "i = Reshape(ids, shape)  a = Gather(w, i)  b = Cast<to = 1>(raw)  c = Cast<to = 1>(n)  d = Mul(b, c)  "
    "e = Mul(d, image)  y = Add(a, e)",
    "int64[1,4] ids, uint8[1] raw, int64[1] n, float[1] image",
    "float[6,1] w = {1, 2, 3, 4, 5, 6}, int64[1] shape = {4}",
)


def test_ranges_follow_from_tables_types_and_images() -> None:
    options = replace(CoreMLOptions(), images=(Image("image", "rgb", (0.5, -1.0, 0.25), (1.0, 2.0, 3.0)),))
    target = replace(load_target("iphone"), options=options)
    known = {r.name: (r.low, r.high, r.origin) for r in with_ranges(target, PICKS, ()).ranges}
    assert known == {"ids": (0, 5, "table"), "raw": (0, 255, "type"), "image": (-253.0, 128.5, "image")}
    said = (InputRange("image", 0, 1), InputRange("n", 0, 9))
    known = {r.name: (r.low, r.high, r.origin) for r in with_ranges(target, PICKS, said).ranges}
    assert known["image"] == (0, 1, "request")
    assert known["n"] == (0, 9, "request")


@pytest.mark.parametrize(
    ("name", "high", "part"),
    [
        ("imag", 1, "does not have"),
        ("flag", 1, "is bool"),
        ("raw", 256, "which uint8 cannot represent"),
        ("half", 1e5, "which float16 cannot represent"),
    ],
)
def test_a_range_is_of_an_input_that_can_be_so(name: str, high: float, part: str) -> None:
    model = model_of("y = Cast<to = 1>(flag)", "bool[1] flag, uint8[1] raw, float16[1] half")
    with pytest.raises(EdgecError, match=part) as caught:
        check_ranges([InputRange(name, 0, high)], model)
    assert caught.value.diagnostics[0].code == "E0107"


def test_inputs_are_drawn_within_their_ranges() -> None:
    inputs = {
        "x": np.zeros((50, 4), np.float32),
        "n": np.ones(200, np.int64),
        "huge": np.zeros(9, np.int64),
        "other": np.full(3, 7.0, np.float32),
    }
    ranges = [InputRange("x", -2, 10), InputRange("n", 0.5, 3.5), InputRange("huge", -(2.0**63), 2.0**63)]
    for drawn in (spread(inputs, ranges, 1), at_ends(inputs, ranges, 1)):
        assert {name: a.dtype for name, a in drawn.items()} == {name: a.dtype for name, a in inputs.items()}
        assert (drawn["other"] == 7).all()
        assert -2 <= drawn["x"].min() < -1
        assert 9 < drawn["x"].max() <= 10
        assert (drawn["n"].min(), drawn["n"].max()) == (1, 3)
        assert np.abs(drawn["huge"].astype(np.float64)).max() > 2.0**61
    assert set(at_ends(inputs, ranges, 2)["x"].ravel()) == {-2.0, 10.0}
    far = clipped({"x": np.array([-5.0, 0.0, 50.0], np.float32), "n": np.array([0, 9])}, ranges)
    assert far["x"].tolist() == [-2, 0, 10]
    assert far["n"].tolist() == [1, 3]


HASHES = model_of("a = Mul(n, k)  y = Mod(a, m)", "int64[4] n", "int64[1] k = {1000}, int64[1] m = {13}")


def test_whole_numbers_have_a_limit_without_a_range_and_none_within_one() -> None:
    found = limits(HASHES, ())
    assert {name: (limit.size, limit.node.op_type) for name, limit in found.items()} == {"n": (2**21 - 1, "Mul")}
    assert limits(HASHES, [InputRange("n", 0, 999)]) == {}


def test_products_within_a_range_are_not_run_and_beyond_it_refused() -> None:
    samples = [{"n": np.full(4, 10**7)}]
    check_integers(HASHES, Calibration(tuple(samples)), [InputRange("n", 0, 2_000_000)])
    with pytest.raises(EdgecError, match="0 to 3000000000"):
        check_integers(HASHES, Calibration(), [InputRange("n", 0, 3e9)])
    with pytest.raises(EdgecError, match="10000000000 on a sample"):
        check_integers(HASHES, Calibration(tuple(samples)), [InputRange("n", 0, 1e7)])


def test_what_may_be_more_than_the_samples_show_is_told() -> None:
    target = load_target("iphone")
    told = undeclared(HASHES, target, [{"n": np.arange(4)}])
    assert [d.code for d in told] == ["E0218"]
    assert "reach 3; beyond 2097151 `Mul`" in told[0].notes[0]
    known = replace(target, ranges=(InputRange("n", 0, 9),))
    assert undeclared(HASHES, known, [{"n": np.arange(4)}]) == []
    assert undeclared(HASHES, target, []) == []


@pytest.mark.parametrize(
    ("body", "is_told"),
    [
        ("y = Cast<to = 9>(n)", False),
        ("y = Equal(n, k)", False),
        ("r = Reshape(n, s)  y = Gather(w, r)", False),
        ("f = Cast<to = 1>(n)  y = Neg(f)", True),
        ("c = Cast<to = 6>(n)  y = Add(c, c)", True),
    ],
)
def test_flags_and_places_are_no_counts(body: str, is_told: bool) -> None:
    model = model_of(body, "int64[4] n, float[9] w", "int64[4] k = {0, 1, 0, 1}, int64[2] s = {2, 2}")
    assert bool(undeclared(model, load_target("iphone"), [{"n": np.ones(4, np.int64)}])) == is_told


GATES = {
    "hidden": "f = Cast<to = 1>(n)  i = Sub(one, f)  y = Mul(i, lowest)",
    "kept": "f = Cast<to = 1>(n)  y = Mul(w, f)",
    "pairs": "r = Reshape(n, s)  t = Transpose(r)  p = Mul(r, t)  y = Cast<to = 9>(p)",
    "mean": "t = ReduceSum(n)  f = Cast<to = 1>(t)  y = Div(w, f)",
    "places": "t = CumSum(n, zero)  y = Gather(w, t)",
}
COUNTS = {
    "rates": "f = Cast<to = 1>(n)  y = Div(w, f)",
    "steps": "y = Mul(n, k)",
    "shares": "f = Cast<to = 1>(n)  i = Sub(w, f)  y = Mul(i, lowest)",
}


@pytest.mark.parametrize("name", [*GATES, *COUNTS])
def test_masks_are_no_counts(name: str) -> None:
    """Inputs of 0 or 1 that mask what they multiply; the same numbers used as counts are reported."""
    constants = "float one = {1}, float lowest = {-10000}, int64[2] s = {4, 1}, int64 zero = {0}, int64 k = {1000}"
    model = model_of({**GATES, **COUNTS}[name], "int64[4] n, float[4] w", constants)
    flags = {"n": np.asarray([1, 1, 0, 1])}
    assert bool(undeclared(model, load_target("iphone"), [flags])) == (name in COUNTS)
    assert bool(undeclared(model, load_target("iphone"), [flags, {"n": np.arange(4)}]))


@pytest.mark.parametrize(
    ("name", "shape", "size", "is_told"),
    [
        ("x", "1,3,32,32", 3.0, True),
        ("x", "1,32,32,3", 3.0, True),
        ("pixel_values", "2,5,7", 3.0, True),
        ("x", "1,3,32,32", 200.0, False),
        ("x", "1,8,32,32", 3.0, False),
        ("x", "1,80,3000", 3.0, False),
        ("x", "4,3", 3.0, False),
    ],
)
def test_images_are_known_by_their_name_or_shape(name: str, shape: str, size: float, is_told: bool) -> None:
    model = model_of(f"y = Relu({name})", f"float[{shape}] {name}")
    sample = {name: np.full([int(d) for d in shape.split(",")], size, np.float32)}
    assert bool(undeclared(model, load_target("iphone"), [sample])) == is_told
    assert undeclared(model, load_target("mac", ["numerics.compute=float32"]), [sample]) == []


def test_a_range_of_what_only_another_function_takes_is_one() -> None:
    other = model_of("y = Relu(z)", "float[1] z")
    check_ranges([InputRange("z", 0, 1)], PICKS, other)
    with pytest.raises(EdgecError, match="not have"):
        check_ranges([InputRange("z", 0, 1)], PICKS)


class Doubled:
    name = "doubled"

    def run(self, inputs):  # type: ignore[no-untyped-def]
        return {"y": inputs["x"] * 2}

    def precise(self, inputs):  # type: ignore[no-untyped-def]
        return None

    def rounded(self, inputs, seed):  # type: ignore[no-untyped-def]
        return None


def test_all_draws_but_the_example_stay_within_a_declared_range() -> None:
    model = model_of("y = Add(x, x)", "float[4,4] x")
    examples = {"x": np.full((4, 4), 9, np.float32)}
    source = SourceId("test", "", "")
    imported = ImportedModel("m", source, model, Doubled(), examples, ranges=(InputRange("x", -1, 2),))
    example, *others = sample(imported).samples
    assert (example.inputs["x"] == 9).all()
    assert len(others) > 3
    assert all(s.inputs["x"].min() >= -1 and s.inputs["x"].max() <= 2 for s in others)
