"""The TFLite backend's own rules: results for forms that the examples do not cover."""

from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.backends.base import Const, Instr, Program, Ref, TensorType
from edgec.backends.tflite.half_precision import HalvesToSingle
from edgec.backends.tflite.legalize import ALWAYS, INSTEAD, PLACE, RULES, TUNE
from edgec.backends.tflite.optimize.horizontal_fusion import merge_products
from edgec.backends.tflite.optimize.patches import PatchesToMatMul
from edgec.backends.tflite.optimize.slice_fusion import compose_slices
from edgec.ir.model import OPSET
from edgec.passes.remarks import counted
from edgec.passes.rewrite import RewritePass
from edgec.passes.verify import evaluate
from edgec.rules.base import Rule

OWN = [
    rule
    for rule in (*INSTEAD, *RULES, *ALWAYS, *TUNE, PatchesToMatMul(), *PLACE)
    if type(rule).__module__.startswith("edgec.backends.tflite")
]


def _rewritten(text: str, rule: Rule, feeds: dict[str, np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The results of a model in onnx's text before and after one rule, which must fire."""
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {OPSET}]> {text}')
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto, data_prop=True))
    before = evaluate(model, feeds)
    remarks = RewritePass("test", [rule]).run(model)
    assert counted(remarks).get(rule.name, 0) >= 1
    return before, evaluate(model, feeds)


def _rule(name: str) -> Rule:
    return next(rule for rule in OWN if rule.name == name)


@pytest.mark.parametrize(
    "pool",
    [
        "MaxPool<kernel_shape = [2,3], dilations = [2,1], strides = [1,2], pads = [1,1,0,1]>",
        "AveragePool<kernel_shape = [2,2], dilations = [2,2], pads = [1,0,1,0]>",
        "AveragePool<kernel_shape = [2,2], dilations = [2,2], pads = [1,0,1,0], count_include_pad = 1>",
    ],
)
def test_pools_by_slices(pool: str) -> None:
    x = np.random.default_rng(3).standard_normal((2, 3, 7, 8)).astype(np.float32)
    text = f"g (float[2,3,7,8] x) => (float[n,c,h,w] y) {{ y = {pool}(x) }}"
    before, after = _rewritten(text, _rule("pool-to-slices"), {"x": x})
    np.testing.assert_allclose(before[0], after[0], rtol=1e-5, atol=1e-6)


def test_max_pool_says_where_the_maximum_was() -> None:
    x = np.random.default_rng(4).integers(0, 9, (2, 3, 6, 7)).astype(np.float32)  # with ties
    text = (
        "g (float[2,3,6,7] x) => (float[a,b,c,d] y, int64[a,b,c,d] i) "
        "{ y, i = MaxPool<kernel_shape = [3,2], strides = [2,1], pads = [1,0,1,1]>(x) }"
    )
    before, after = _rewritten(text, _rule("pool-to-slices"), {"x": x})
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])


@pytest.mark.parametrize("reduction", ["max", "min", "mul"])
def test_scatter_with_repeated_indices(reduction: str) -> None:
    rng = np.random.default_rng(5)
    feeds = {
        "x": rng.standard_normal((4, 3, 2)).astype(np.float32),
        "i": np.asarray([[0, 1], [3, 2], [0, 1], [0, 1]], dtype=np.int64),
        "u": rng.standard_normal((4, 2)).astype(np.float32),
    }
    text = (
        "g (float[4,3,2] x, int64[4,2] i, float[4,2] u) => (float[4,3,2] y) "
        f'{{ y = ScatterND<reduction = "{reduction}">(x, i, u) }}'
    )
    before, after = _rewritten(text, _rule("scatter-by-match"), feeds)
    np.testing.assert_allclose(before[0], after[0], rtol=1e-6)


@pytest.mark.parametrize(("shape", "places"), [((5,), 1), ((4, 3, 2), 2), ((3, 4, 2, 2), 3), ((6, 2), 1)])
def test_the_last_of_repeated_writes_stays(shape: tuple[int, ...], places: int) -> None:
    rng = np.random.default_rng(5)
    index = np.stack([rng.integers(-n, n, 9) for n in shape[:places]], 1)
    feeds = {
        "x": rng.standard_normal(shape).astype(np.float32),
        "i": index,
        "u": rng.standard_normal((9, *shape[places:])).astype(np.float32),
    }
    dims, inner = ",".join(map(str, shape)), ",".join(map(str, (9, *shape[places:])))
    text = (
        f"g (float[{dims}] x, int64[9,{places}] i, float[{inner}] u) => (float[{dims}] y) {{ y = ScatterND(x, i, u) }}"
    )
    before, after = _rewritten(text, _rule("last-write-wins"), feeds)
    np.testing.assert_array_equal(before[0], after[0])


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ("y = ScatterND(x, i, u)", "int64[3,1] i = {0, -1, 2}"),
        ("i = Add(s, c) y = ScatterND(x, i, u)", "int64[3,1] c = {0, 1, 2}"),
        ("j = Add(c, s) n = Less(j, o) w = Add(j, k) i = Where(n, w, j) y = ScatterND(x, i, u)",
         "int64[3,1] c = {0, 1, 2}, int64 o = {0}, int64 k = {5}"),
    ],
)  # fmt: skip
def test_places_that_are_apart_are_scattered_at_once(nodes: str, constants: str) -> None:
    signature = f"g (float[5] x, int64 s, float[3] u) => (float[5] y) <{constants}>"
    text = f'<ir_version: 10, opset_import: ["" : {OPSET}]> {signature} {{ {nodes} }}'
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text), data_prop=True))
    remarks = RewritePass("test", [_rule("last-write-wins")]).run(model)
    assert counted(remarks).get("last-write-wins", 0) == 0


def test_half_floats_keep_the_interface_and_explicit_rounding() -> None:
    text = (
        "g (float16[3] x, float[3] z) => (float16[3] y, float[3] r) "
        "{ h = Cast<to = 10>(z)  r = Cast<to = 1>(h)  y = Add(x, h) }"
    )
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {OPSET}]> {text}')
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))
    feeds = {"x": np.asarray([1, 2, 3], np.float16), "z": np.asarray([0.1, 1.0001, 70000.0], np.float32)}
    before = evaluate(model, feeds)
    HalvesToSingle().run(model)
    assert {n.op_type for n in model.graph} == {"Cast", "Add"}
    add = next(n for n in model.graph if n.op_type == "Add")
    assert all(v is not None and v.dtype == ir.DataType.FLOAT for v in (*add.inputs, *add.outputs))
    assert [v.name for v in model.graph.outputs] == ["y", "r"]
    for a, b in zip(before, evaluate(model, feeds), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("conv", "weight"),
    [
        ("Conv<pads = [1,0,2,1,1,0], strides = [2,1,2], dilations = [1,2,1]>", (4, 4, 3, 2, 3)),
        ("Conv<group = 2, pads = [0,1,1,2,1,1]>", (6, 2, 3, 3, 2)),
        ("Conv<group = 4, strides = [1,2,3], dilations = [2,1,1]>", (8, 1, 2, 3, 1)),
    ],
)
def test_volumes_by_planes(conv: str, weight: tuple[int, ...]) -> None:
    rng = np.random.default_rng(7)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((2, 4, 6, 7, 8), weight))
    dims = ",".join(map(str, weight))
    values = ",".join(map(str, w.reshape(-1)))
    text = f"g (float[2,4,6,7,8] x) => (float[n,c,d,h,k] y) <float[{dims}] w = {{{values}}}> {{ y = {conv}(x, w) }}"
    before, after = _rewritten(text, _rule("volume-to-planes"), {"x": x})
    np.testing.assert_allclose(before[0], after[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("window", "attributes"),
    [
        ((7, 7), "pads = [3,3,3,3]"),
        ((9, 5), "pads = [1,4,5,0], strides = [2,3]"),
        ((1, 31), "pads = [0,15,0,15]"),
        ((6, 6), "dilations = [2,1], pads = [5,2,5,3]"),
        ((2, 27), "pads = [0,20,1,20]"),
    ],
)
def test_wide_depthwise_windows_by_parts(window: tuple[int, int], attributes: str) -> None:
    rng = np.random.default_rng(8)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((1, 3, 14, 15), (6, 1, *window)))
    values = ",".join(map(str, w.reshape(-1)))
    text = (
        f"g (float[1,3,14,15] x) => (float[n,c,h,k] y) <float[6,1,{window[0]},{window[1]}] w = {{{values}}}> "
        f"{{ y = Conv<group = 3, {attributes}>(x, w) }}"
    )
    before, after = _rewritten(text, _rule("split-depthwise-window"), {"x": x})
    np.testing.assert_allclose(before[0], after[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ['mode = "linear"', 'mode = "nearest", coordinate_transformation_mode = "asymmetric"'])
def test_pointwise_convolutions_commute_with_resizes(mode: str) -> None:
    rng = np.random.default_rng(9)
    feeds = {n: rng.standard_normal(s).astype(np.float32) for n, s in (("a", (1, 48, 3, 4)), ("b", (1, 2, 6, 8)))}
    w = ",".join(map(str, rng.standard_normal(5 * 50).astype(np.float32)))
    text = (
        f"g (float[1,48,3,4] a, float[1,2,6,8] b) => (float[n,c,h,k] y) <float[5,50,1,1] w = {{{w}}}, "
        "float[5] bias = {1,2,3,4,5}, float[4] s = {1,1,2,2}> "
        f"{{ r = Resize<{mode}>(a, , s)  c = Concat<axis = 1>(r, b)  y = Conv(c, w, bias) }}"
    )
    before, after = _rewritten(text, _rule("pointwise-of-resizes"), feeds)
    np.testing.assert_allclose(before[0], after[0], rtol=1e-4, atol=1e-5)


def test_products_of_one_row_are_merged() -> None:
    def product(name: str, width: int, activation: int) -> Instr:
        weights = ir.tensor(np.full((width, 3), width, np.float32), name=name)
        bias = ir.tensor(np.full(width, width, np.float32), name=name)
        inputs = (
            ("input", x),
            ("weights", Const(f"{name}/w", TensorType("float32", (width, 3)), weights)),
            ("bias", Const(f"{name}/b", TensorType("float32", (width,)), bias)),
        )
        out = Ref(name, TensorType("float32", (1, width)))
        return Instr("FULLY_CONNECTED", inputs, (("fusedActivationFunction", activation),), (out,))

    x = Ref("x", TensorType("float32", (1, 3)))
    instrs = (product("a", 2, 0), product("other", 2, 1), product("b", 4, 0))
    program = Program("p", (x,), instrs, tuple((i.outputs[0].name, i.outputs[0]) for i in instrs))
    merged = merge_products(program).instrs
    assert [i.op for i in merged] == ["FULLY_CONNECTED", "SLICE", "SLICE", "FULLY_CONNECTED"]
    weights, bias = (merged[0].input(name) for name in ("weights", "bias"))
    assert isinstance(weights, Const)
    assert isinstance(bias, Const)
    np.testing.assert_array_equal(weights.numpy(), [[2] * 3] * 2 + [[4] * 3] * 4)
    np.testing.assert_array_equal(bias.numpy(), [2, 2, 4, 4, 4, 4])
    assert [i.outputs[0].name for i in merged[1:]] == ["a", "b", "other"]
    wide = replace(x, type=TensorType("float32", (5, 3)))
    many = tuple(
        replace(
            i,
            inputs=(("input", wide), *i.inputs[1:]),
            outputs=(Ref(i.outputs[0].name, TensorType("float32", (5, i.outputs[0].type.sizes[1]))),),
        )
        for i in instrs
    )
    assert merge_products(replace(program, instrs=many)).instrs == many


def test_slices_of_slices_are_one() -> None:
    def part(name: str, source: Ref, begin: list[int], size: list[int]) -> Instr:
        bounds = [
            (key, Const(f"{name}/{key}", TensorType("int32", (2,)), ir.tensor(np.asarray(values, np.int32), name=key)))
            for key, values in (("begin", begin), ("size", size))
        ]
        return Instr("SLICE", (("input", source), *bounds), (), (Ref(name, TensorType("float32", tuple(size))),))

    x = Ref("x", TensorType("float32", (8, 6)))
    step = part("step", x, [3, 0], [1, 6])
    gates = part("gates", step.outputs[0], [0, 2], [1, 4])
    gate, other = part("gate", gates.outputs[0], [0, 1], [1, 2]), part("other", step.outputs[0], [0, 0], [1, 2])
    program = Program(
        "p", (x,), (step, gates, gate, other), tuple((i.outputs[0].name, i.outputs[0]) for i in (gate, other))
    )
    found = compose_slices(program).instrs
    assert [i.outputs[0].name for i in found] == ["gate", "other"]
    begins = [i.input("begin") for i in found]
    assert [b.numpy().tolist() for b in begins if isinstance(b, Const)] == [[3, 3], [3, 0]]
    assert all(i.input("input") == x for i in found)
    shown = replace(program, outputs=(*program.outputs, ("step", step.outputs[0])))
    assert [i.outputs[0].name for i in compose_slices(shown).instrs] == ["step", "gate", "other"]
