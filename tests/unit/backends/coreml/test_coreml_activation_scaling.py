"""Activations beyond float16's range are stored divided by a power of two: equal results, nothing left in float32."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.backends.coreml.precision.activation_scaling.scale import ScaleActivations
from edgec.backends.coreml.precision.annotations import keep_wide
from edgec.backends.coreml.precision.casts import to_half
from edgec.backends.coreml.precision.mixed_precision import choose
from edgec.backends.coreml.precision.value_ranges import keep_ranges, observe, ranges_of
from edgec.ir.model import Model
from edgec.passes.verify import evaluate
from edgec.spec.target import load_target

RNG = np.random.default_rng(0)
WEIGHTS = {
    "w": RNG.standard_normal((8, 8)),
    "up": RNG.standard_normal((8, 8)) * 1e3,
    "down": RNG.standard_normal((8, 8)) * 1e-6,
    "tiny": RNG.standard_normal((8, 8)) * 1e-9,
    "ones": np.ones(8),
    "k": RNG.standard_normal((4, 4, 3, 3)) * 60,
    "kd": RNG.standard_normal((4, 4, 3, 3)) * 1e-6,
    "b": RNG.standard_normal(4),
}
TARGET = load_target("iphone")


def model_of(body: str, inputs: str = "float[2,8] x", outputs: str = "y", constants: str = "") -> Model:
    shown = ", ".join(f"float {name}" for name in outputs.split())
    text = f'<ir_version: 10, opset_import: ["" : 23]> g ({inputs}) => ({shown}) <{constants}> {{ {body} }}'
    proto = onnx.parser.parse_model(text)
    for output in proto.graph.output:
        output.type.tensor_type.ClearField("shape")
    proto.graph.initializer.extend(
        onnx.numpy_helper.from_array(array.astype(np.float32), name) for name, array in WEIGHTS.items()
    )
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


def samples_of(model: Model, seed: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    shapes = {v.name or "": [int(d) for d in v.shape or ()] for v in model.graph.inputs}
    return [{name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()} for _ in range(2)]


UP, BACK = "a = MatMul(x, up)  h = MatMul(a, up)  ", "  y = MatMul(z, down)"
IMAGE = "a = Conv<pads = [1, 1, 1, 1]>(x, k, b)  h = Conv<pads = [1, 1, 1, 1]>(a, k, b)  "

HELD = {
    "layers": UP + "r = Relu(h)  z = MatMul(r, w)" + BACK,
    "gemm": UP + "z = Gemm<alpha = 2.0, beta = 0.5>(h, w, ones)" + BACK,
    "gains": UP + "i = Mul(ones, h)  j = Div(i, c)  z = Add(j, ones)" + BACK,
    "residual": UP + "i = MatMul(h, w)  j = Add(h, i)  k2 = Sub(j, x)  z = Neg(k2)" + BACK,
    "side by side": UP + "i = Concat<axis = 0>(h, x)  z, q = Split<num_outputs = 2>(i)" + BACK,
    "gate": UP + "s = Sigmoid(x)  z = Mul(h, s)" + BACK,
    "clipped": UP + "z = Clip(h, low, high)" + BACK,
    "chosen": UP + "q = Greater(h, c)  m = Where(q, h, c)  z = Max(m, x)" + BACK,
    "sums": UP + "m = ReduceMean(h)  s = Sub(h, m)  z = Abs(s)" + BACK,
    "places": UP + "i = ArgMax<keepdims = 0>(h)  y = Cast<to = 1>(i)",
    "first": UP + "v, i = TopK<largest = 1>(h, two)  s = ReduceSum<keepdims = 0>(v)  y = Mul(s, small)",
    "slopes": UP
    + "l = LeakyRelu(h)  p = PRelu(l, ones)  t = Transpose(p)  r = Reshape(t, shape)  z = Identity(r)"
    + BACK,
}
"""Layers between which values exceed float16's range: no operator stays in float32."""

PICTURES = {
    "pools": IMAGE + "m = MaxPool<kernel_shape = [2, 2]>(h)  z = AveragePool<kernel_shape = [2, 2]>(m)",
    "padded": IMAGE + "z = Pad(h, pads, c)",
    "resized": IMAGE + 'z = Resize<mode = "nearest">(h, , scales)',
    "transposed": IMAGE + "z = ConvTranspose(h, k, b)",
    "blocks": IMAGE + "z = DepthToSpace<blocksize = 1>(h)",
}

CONSTANTS = (
    "float c = {3}, float low = {-100000}, float high = {40}, int64[1] two = {2}, float small = {1e-6}, "
    "int64[2] shape = {2, 8}, int64[8] pads = {0, 0, 1, 1, 0, 0, 1, 1}, float[4] scales = {1, 1, 2, 2}"
)


def held(body: str, inputs: str = "float[2,8] x", outputs: str = "y") -> tuple[Model, Model]:
    """The original model, and the model with these activations scaled by powers of two."""
    before = model_of(body, inputs, outputs, CONSTANTS)
    after = model_of(body, inputs, outputs, CONSTANTS)
    keep_ranges(after, observe(after, samples_of(after, 0)))
    ScaleActivations(TARGET).run(after)
    return before, after


def check(before: Model, after: Model, bound: float) -> None:
    for sample in samples_of(before, 1):
        for expected, found in zip(evaluate(before, sample), evaluate(after, sample), strict=True):
            peak = np.abs(expected).max()
            assert np.abs(found.astype(np.float64) - expected).max() <= bound * peak


def in_half(model: Model) -> list[str]:
    """Convert to float16; returns the operators that stay in float32."""
    kept = choose(model, TARGET, ranges_of(model)).chosen
    keep_wide(kept)
    to_half(model, list(kept))
    return [node.op_type for node in kept]


@pytest.mark.parametrize("name", [*HELD, *PICTURES])
def test_what_leaves_float16_is_held_as_a_power_of_two_of_itself(name: str) -> None:
    body, inputs = (HELD[name], "float[2,8] x") if name in HELD else (PICTURES[name], "float[1,4,6,6] x")
    body += "" if name in HELD else "  y = Conv(z, kd)"
    before, after = held(body, inputs)
    check(before, after, 1e-6)
    assert in_half(after) == []
    check(before, after, 1e-2)


def test_outputs_are_what_they_were_behind_one_product() -> None:
    before, after = held(UP + "y = Relu(h)  z = MatMul(y, down)", outputs="y z")
    assert [v.name for v in after.graph.outputs] == ["y", "z"]
    check(before, after, 1e-6)
    assert in_half(after) == ["Mul"]
    check(before, after, 1e-2)


def test_what_takes_the_number_itself_stays_in_float32_with_the_product() -> None:
    before, after = held(UP + "r = Relu(h)  l = MatMul(r, w)  y = Softmax(l)")
    check(before, after, 1e-6)
    assert in_half(after) == ["Mul", "Softmax"]


def test_a_normalization_takes_the_factor_back() -> None:
    before, after = held(UP + "y = LayerNormalization<epsilon = 1e-5>(h, ones, ones)")
    check(before, after, 1e-6)
    assert in_half(after) == []
    assert not any(node.op_type == "Mul" for node in after.graph)


def test_what_float16_holds_is_left_alone() -> None:
    before, after = held("a = MatMul(x, w)  h = MatMul(a, w)  y = Relu(h)")
    assert [node.op_type for node in after.graph] == [node.op_type for node in before.graph]
