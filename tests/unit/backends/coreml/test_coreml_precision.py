"""Operators that stay in float32 by what they compute, without samples: excursions, input arithmetic, state sums."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.backends.coreml.precision.casts import to_half
from edgec.backends.coreml.precision.error_accumulation import mark_sums, recurrences
from edgec.backends.coreml.precision.intermediate_overflow import excursions
from edgec.backends.coreml.precision.mixed_precision import choose
from edgec.backends.coreml.precision.normalization_scaling import ScaleNormalizations
from edgec.backends.coreml.precision.preprocessing import on_inputs
from edgec.backends.coreml.precision.sign_analysis import never_above_zero
from edgec.backends.coreml.precision.value_ranges import (
    MARGIN,
    SMALLEST_NORMAL,
    Range,
    Ranges,
    keep_ranges,
    observe,
    ranges_of,
)
from edgec.ir.model import Model
from edgec.ir.states import State, set_state, states
from edgec.passes.verify import evaluate
from edgec.spec.target import load_target

WEIGHTS = np.asarray(np.random.default_rng(0).standard_normal((8, 8)), np.float32)


def model_of(body: str, inputs: str = "float[2,8] x", constants: str = "", outputs: str = "y") -> Model:
    shown = ", ".join(f"float {name}" for name in outputs.split())
    text = f'<ir_version: 10, opset_import: ["" : 23]> g ({inputs}) => ({shown}) <{constants}> {{ {body} }}'
    proto = onnx.parser.parse_model(text)
    for output in proto.graph.output:
        output.type.tensor_type.ClearField("shape")
    proto.graph.initializer.append(onnx.numpy_helper.from_array(WEIGHTS, "w"))
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


def names(found) -> set[str]:  # type: ignore[no-untyped-def]
    return {node.outputs[0].name or "" for node, _ in found}


LEARNED = "h = MatMul(x, w)  "

EXCURSIONS = {
    "norm": ("q = Mul(h, h)  s = ReduceSum(q)  r = Sqrt(s)  y = Div(h, r)", "q s r"),
    "variance": ("m = ReduceMean(h)  c = Sub(h, m)  q = Mul(c, c)  v = ReduceMean(q)  y = Sqrt(v)", "m c q v y"),
    "exponentials": ("e = Exp(h)  top = ReduceMax(e)  y = Div(e, top)", "e top y"),
    "logarithm": ("e = Exp(h)  p = Add(e, h)  y = Log(p)", "e p y"),
    "products": ("a = Sigmoid(x)  b = Mul(h, x)  c = Neg(b)  y = Reciprocal(c)", "b c y"),
    "filter": ("q = Mul(h, h)  f = MatMul(q, w)  y = Log(f)", "q f y"),
    "gate": ("a = Sigmoid(h)  b = Mul(h, a)  y = Sqrt(b)", ""),
    "layer": ("q = Mul(h, x)  f = MatMul(q, w)  y = Log(f)", ""),
    "gain": ("q = Mul(h, k)  y = Sqrt(q)", ""),
    "product": ("y = Mul(h, x)", ""),
    "given out": ("q = Mul(h, h)  s = ReduceSum(q)  y = Div(s, k)", "q s y"),
    "less one": ("q = Mul(h, h)  s = ReduceSum(q)  d = Div(s, k)  y = Sqrt(d)", "q s d y"),
    "linear attention": ("a = MatMul(h, t)  r = Reciprocal(x)  y = Mul(a, r)", "a y"),
    "attention": ("a = MatMul(h, t)  d = Div(a, k)  y = Softmax(d)", ""),
}
"""A body behind a learned layer, and the operators on the way out of float16's range and back."""


def scaled(model: ir.Model, ranges: Ranges) -> Ranges:
    keep_ranges(model, ranges)
    ScaleNormalizations().run(model)
    return ranges_of(model)


@pytest.mark.parametrize("name", EXCURSIONS)
def test_an_excursion_stays_in_float32_from_its_begin_to_its_end(name: str) -> None:
    body, kept = EXCURSIONS[name]
    model = model_of(LEARNED + body, "float[8,8] x, float[8,8] t", "float k = {2.0}")
    assert names(excursions(model, Ranges())) == set(kept.split())


SIGNS = {
    "shifted": ("m = ReduceMax(h)  y = Sub(h, m)", True),
    "running maximum": ("m = Max(x, h)  y = Sub(h, m)", True),
    "square": ("q = Mul(h, h)  y = Neg(q)", True),
    "rate": ("s = Softplus(h)  y = Mul(s, k)", True),
    "softplus": ("s = Softplus(h)  g = Greater(h, t)  p = Where(g, h, s)  y = Mul(p, k)", True),
    "decay": ("e = Softmax(h)  r = Reshape(e, flat)  y = Neg(r)", True),
    "sum": ("a = Abs(h)  r = Relu(x)  s = Add(a, r)  y = Neg(s)", True),
    "running sum": ("a = Abs(h)  n = Neg(a)  c = CumSum(n, last)  y = Where(never, low, c)", True),
    "clipped": ("c = Clip(h, zero)  d = Clip(c, zero)  y = Mul(d, k)", True),
    "bounds": ("a = Max(h, zero)  b = Neg(a)  c = Min(h, b)  y = Pad(c, pads)", True),
    "rest of a sum": (
        "a = Abs(h)  n = Neg(a)  c = CumSum(n, last)  l = Slice(c, seven, eight, last1)  y = Sub(l, c)",
        True,
    ),
    "sum so far": (
        "a = Abs(h)  n = Neg(a)  c = CumSum(n, last)  l = Gather<axis = 1>(c, zero64)  y = Sub(l, c)",
        False,
    ),
    "end of a sum": (
        "a = Abs(h)  n = Neg(a)  c = CumSum(n, last)  l = Gather<axis = 1>(c, seven)  y = Sub(l, c)",
        True,
    ),
    "clipped above": ("c = Clip(h, k)  y = Mul(c, k)", False),
    "greater": ("c = Max(h, t)  y = Sub(h, c)  q = Neg(y)", True),
    "another maximum": ("m = ReduceMax(x)  y = Sub(h, m)", False),
    "smallest": ("m = ReduceMin(h)  y = Sub(h, m)", False),
    "product": ("s = ReduceProd(h)  y = Mul(s, k)", False),
    "any": ("y = Mul(h, k)", False),
    "where": ("s = Softplus(h)  g = Greater(h, k)  p = Where(g, h, s)  y = Mul(p, k)", False),
}
"""A value, and whether it is never above 0."""


@pytest.mark.parametrize("name", SIGNS)
def test_exponentials_of_what_is_never_above_zero_stay_in_float16(name: str) -> None:
    body, is_never = SIGNS[name]
    numbers = "float k = {-2.0}, float t = {20.0}, float low = {-1e38}"
    places = "int64[1] seven = {7}, int64[1] eight = {8}, int64[1] zero64 = {0}, int64[1] last1 = {1}"
    shapes = "int64[4] pads = {0, 0, 1, 1}, float zero = {0}"
    constants = f"{numbers}, int64[1] flat = {{-1}}, int64 last = {{1}}, bool never = {{0}}, {places}, {shapes}"
    model = model_of(f"{LEARNED}{body}  z = Exp(y)", constants=constants, outputs="z")
    (last,) = [node for node in model.graph if node.outputs[0].name == "z"]
    assert never_above_zero(last.inputs[0]) == is_never
    assert (last in choose(model, load_target("iphone"), Ranges()).chosen) != is_never


RAW = {
    "difference": ("a = Mul(x, k)  y = Sub(a, x)", "a y"),
    "sine": ("a = Mul(x, k)  y = Sin(a)", "a y"),
    "angles of positions": ("f = Cast<to = 1>(n)  a = Mul(f, k)  y = Cos(a)", "f a y"),
    "covariance": ("t = Transpose(x)  p = MatMul(x, t)  y = Div(p, k)", "t p y"),
    "features": ("b = MatMul(x, w)  a = Mul(b, k)  y = Cos(a)", "b a y"),
    "spectrum": ("b = MatMul(x, w)  q = Mul(b, b)  e = Add(q, k)  y = Log(e)", "b"),
    "counts": ("f = Cast<to = 1>(n)  y = Mul(f, k)", "f y"),
    "outputs": ("a = Mul(x, x)  b = Mul(a, k)  c = Transpose(b)  y = Neg(c)", "a b c y"),
    "layers": ("a = Mul(x, x)  b = Mul(a, k)  y = MatMul(b, w)", "a"),
    "mask": ("b = Cast<to = 9>(n)  m = Where(b, k, z)  e = Reshape(m, two)  y = Greater(e, z)", ""),
    "gain": ("a = Mul(x, k)  y = Add(a, k)", ""),
    "activation": ("y = Relu(x)", ""),
    "learned": ("b = MatMul(x, w)  y = Softmax(b)", ""),
    "after a layer": ("b = MatMul(x, w)  c = Relu(b)  d = MatMul(c, w)  y = Sin(d)", ""),
    "table": ("r = Gather(w, n)  y = Exp(r)", ""),
    "moves": ("a = Transpose(x)  y = Concat<axis = 0>(a, a)", ""),
}


@pytest.mark.parametrize("name", RAW)
def test_arithmetic_on_inputs_stays_in_float32_where_rounding_them_matters(name: str) -> None:
    body, kept = RAW[name]
    constants = "float k = {2.0}, float z = {0.0}, int64[2] two = {2, 1}"
    model = model_of(body, "float[8,8] x, int64[2] n", constants)
    assert names(on_inputs(model)) == set(kept.split())


STATES = {
    "counter": ("t = Add(s, one)  y = Mul(t, one)", "t", True),
    "average": ("a = Mul(s, k)  b = Mul(x, one)  t = Add(a, b)  y = Neg(t)", "a t", True),
    "held": ("a = Mul(s, k)  t = Max(a, x)  y = Neg(t)", "a t", True),
    "gated": ("g = Sigmoid(x)  a = Mul(s, g)  t = Add(a, x)  y = Neg(t)", "a t", False),
    "masked": (
        "m = Cast<to = 1>(n)  o = Sub(one, m)  a = Mul(s, o)  b = Mul(x, m)  t = Add(a, b)  y = Neg(t)",
        "",
        False,
    ),
    "replaced": ("t = Neg(x)  y = Add(s, x)", "", False),
    "cache": ("c = Concat<axis = 0>(s, x)  t = Slice(c, start, end)  y = Neg(t)", "", False),
    "layer": ("h = MatMul(s, w)  a = Tanh(h)  t = Add(a, x)  y = Neg(t)", "", False),
    "rotation": ("h = MatMul(s, w)  t = Add(h, x)  y = Neg(t)", "h t", True),
}


@pytest.mark.parametrize("name", STATES)
def test_what_a_state_adds_up_stays_in_float32(name: str) -> None:
    body, kept, sums = STATES[name]
    constants = "float one = {1.0}, float k = {0.999}, int64[1] start = {1}, int64[1] end = {3}"
    model = model_of(body, "float[2,8] x, float[2,8] s, bool[2,8] n", constants, "y t")
    set_state(model, State("s", "t"))
    assert names(recurrences(model)) == set(kept.split())
    mark_sums(model)
    assert states(model)[0].sums == sums


def test_states_that_are_computed_of_each_other_are_kept_together() -> None:
    body = "a = Mul(s, k)  b = Mul(r, l)  d = Add(a, b)  t = Add(d, x)  q = Identity(s)  o = Identity(p)"
    inputs = "float[2,8] x, float[2,8] s, float[2,8] r, float[2,8] p"
    model = model_of(body, inputs, "float k = {1.98}, float l = {-0.98}", "t q o")
    for state in (State("s", "t"), State("r", "q"), State("p", "o")):
        set_state(model, state)
    assert names(recurrences(model)) == {"a", "b", "d", "t", "q"}
    mark_sums(model)
    assert [(state.input, state.sums) for state in states(model)] == [("s", True), ("r", True), ("p", False)]


def test_sums_of_whole_numbers_are_none_of_floats() -> None:
    model = model_of("s = CumSum(n, axis)  y = Cast<to = 1>(s)", "int64[4] n", "int64 axis = {0}")
    assert {n.op_type for n in choose(model, load_target("iphone"), Ranges()).chosen} == {"Cast"}


def test_nothing_is_rounded_between_two_islands() -> None:
    model = model_of(LEARNED + "e = Exp(h)  t = Transpose(e)  n = Neg(t)  y = Log(n)")
    chosen = choose(model, load_target("iphone"), Ranges()).chosen
    assert {n.outputs[0].name for n in chosen} == {"e", "t", "n", "y"}


def test_masks_are_no_overflow_and_overflows_are() -> None:
    model = model_of("a = Add(x, m)  y = Relu(a)", constants="float[8] m = {0, 0, 0, 0, -3.4e38, -1e38, 0, 0}")
    assert observe(model, [{"x": np.full((2, 8), -3, np.float32)}]).seen["a"].high == 3
    assert observe(model, [{"x": np.full((2, 8), 1e31, np.float32)}]).seen["a"].high > 1e30
    assert observe(model, [{"x": np.full((2, 8), np.inf, np.float32)}]).seen["a"].high == np.inf
    assert observe(model, [{"x": np.full((2, 8), np.nan, np.float32)}]).seen["a"].high == 0


def test_an_input_that_float16_cannot_hold_is_used_in_float32() -> None:
    model = model_of("a = Relu(x)  y = Neg(a)")
    chosen = choose(model, load_target("iphone"), observe(model, [{"x": np.full((2, 8), 5e4, np.float32)}])).chosen
    assert {n.outputs[0].name for n in chosen} == {"a", "y"}


def test_small_numbers_are_normalized_as_a_multiple() -> None:
    text = "h = MatMul(x, w)  y = LayerNormalization<epsilon = 1e-06>(h, one, zero)"
    constants = "float[8] one = {1, 1, 1, 1, 1, 1, 1, 1}, float[8] zero = {0, 0, 0, 0, 0, 0, 0, 0}"
    model = model_of(text, constants=constants)
    samples = [{"x": np.asarray(np.random.default_rng(0).standard_normal((2, 8)) * 2e-3, np.float32)}]
    wanted = evaluate(model, samples[0])[0]
    ranges = scaled(model, observe(model, samples))
    (norm,) = [n for n in model.graph if n.op_type == "LayerNormalization"]
    variance = ranges.variance(norm)
    assert variance is not None
    assert variance.low >= MARGIN * SMALLEST_NORMAL
    assert choose(model, load_target("iphone"), ranges).chosen == {}
    np.testing.assert_allclose(evaluate(model, samples[0])[0], wanted, rtol=1e-6, atol=1e-7)


def test_epsilon_counts_with_the_variance() -> None:
    """A row of 1e-6 (a class token's initial value) with a comparable epsilon is not a row of small variance."""
    constants = "float[8] one = {1, 1, 1, 1, 1, 1, 1, 1}"
    for epsilon, is_scaled, is_kept in (("1e-3", False, False), ("1e-6", True, False), ("1e-12", False, True)):
        model = model_of(f"h = Relu(x)  y = LayerNormalization<epsilon = {epsilon}>(h, one)", constants=constants)
        seen = Ranges({"h": Range(1.0, 1e-6), "y/variance": Range(1.0, 1e-12)})
        ranges = scaled(model, seen)
        assert [n.op_type for n in model.graph] == ["Relu", *(["Mul"] if is_scaled else []), "LayerNormalization"]
        evidence = " ".join(choose(model, load_target("iphone"), ranges).chosen.values())
        assert ("has variances" in evidence) == is_kept


@pytest.mark.parametrize("seen", [Range(6e4, 1e-3), Range(1.0, 1e-9)])
def test_without_room_for_a_multiple_nothing_is_scaled(seen: Range) -> None:
    """The largest number would overflow, or the small ones are already rounded too much."""
    text = "h = Relu(x)  y = LayerNormalization<epsilon = 1e-12>(h, one)"
    model = model_of(text, constants="float[8] one = {1, 1, 1, 1, 1, 1, 1, 1}")
    ranges = Ranges({"h": seen, "y/variance": Range(1.0, min(seen.low**2, 3e-5))})
    assert scaled(model, ranges).seen == ranges.seen
    assert [n.op_type for n in model.graph] == ["Relu", "LayerNormalization"]


@pytest.mark.parametrize("lowest", ["-3.4e38", "-1e9"])
def test_a_row_that_is_hidden_whole_by_the_lowest_number_is_a_mean_behind_an_island(lowest: str) -> None:
    body = "h = MatMul(x, w)  m = Cast<to = 9>(n)  c = Where(m, low, h)  y = Softmax(c)"
    model = model_of(body, "float[2,8] x, int64[2,8] n", f"float low = {{{lowest}}}")
    to_half(model, [node for node in model.graph if node.op_type == "Where"])
    feeds = {"x": np.ones((2, 8), np.float32), "n": np.ones((2, 8), np.int64)}
    np.testing.assert_allclose(evaluate(model, feeds)[0], np.full((2, 8), 1 / 8), atol=1e-3)
