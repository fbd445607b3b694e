"""Rewrites into forms that MIL supports keep the results, and leave other operators alone."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.backends.coreml.expand.conv import ComputedDilatedConvToConv, ComputedTransposedConvToConv
from edgec.backends.coreml.expand.empty import DropEmptyOperands
from edgec.backends.coreml.expand.pad import PadForms
from edgec.backends.coreml.expand.pool import DilatedPoolToSlices
from edgec.backends.coreml.legality.table import dialect
from edgec.ir.model import OPSET
from edgec.passes.remarks import counted
from edgec.passes.rewrite import RewritePass
from edgec.passes.verify import evaluate
from edgec.rules.base import Rule
from edgec.rules.decompose.bits import BitShiftToArithmetic, BitwiseToArithmetic
from edgec.rules.decompose.normalizations import LayerNormToReduce
from edgec.rules.decompose.quantize import DequantizeToMul, QuantizeToClip
from edgec.rules.decompose.recurrent import UnrollRecurrent
from edgec.rules.where_illegal import WhereIllegal
from edgec.spec.target import load_target

X = "float[2, 3, 7, 6] x"
POOL = "kernel_shape = [3, 2], dilations = [2, 3], pads = [2, 1, 1, 2], strides = [2, 1]"
GRU = "float[1, 3, 2] w = {1, 2, 3, 4, 5, 6}, float[1, 3, 1] r = {0.5, -1, 1}"

REDUCED = WhereIllegal(LayerNormToReduce(), dialect(load_target("iphone")).illegal)
UNROLLED = WhereIllegal(UnrollRecurrent(), dialect(load_target("iphone")).illegal)

FIRES = {
    "pad-integers": (PadForms(), "int32[2, 3] x", "int64[4] p = {1, 0, 0, 2}, int32 v = {7}", "y = Pad(x, p, v)"),
    "pad-wraps": (PadForms(), X, "int64[8] p = {1, 0, 2, 0, 0, 2, 0, 1}", "y = Pad<mode = 'wrap'>(x, p)"),
    "pad-mirrors-channels": (PadForms(), X, "int64[8] p = {0, 2, 1, 0, 1, 0, 0, 0}", "y = Pad<mode = 'reflect'>(x, p)"),
    "max-pool": (DilatedPoolToSlices(), X, "", f"y = MaxPool<{POOL}>(x)"),
    "max-pool-ceil": (DilatedPoolToSlices(), X, "", f"y = MaxPool<{POOL}, ceil_mode = 1>(x)"),
    "average-pool": (DilatedPoolToSlices(), X, "", f"y = AveragePool<{POOL}>(x)"),
    "average-pool-counts": (DilatedPoolToSlices(), X, "", f"y = AveragePool<{POOL}, count_include_pad = 1>(x)"),
    "quantize": (QuantizeToClip(), X, "float s = {0.03}, uint8 z = {128}", "y = QuantizeLinear(x, s, z)"),
    "quantize-channels": (QuantizeToClip(), X, "float[3] s = {0.01, 0.02, 0.1}, int8[3] z = {1, -3, 7}",
                          "y = QuantizeLinear<axis = 1>(x, s, z)"),
    "dequantize": (DequantizeToMul(), "uint8[2, 3] x", "float[3] s = {0.5, 2, 0.1}, uint8[3] z = {3, 0, 200}",
                   "y = DequantizeLinear<axis = 1>(x, s, z)"),
    "dequantize-blocks": (DequantizeToMul(), "int8[2, 4] x", "float[2, 2] s = {0.5, 2, 0.1, 3}",
                          "y = DequantizeLinear<axis = 1, block_size = 2>(x, s)"),
    "gru-reset-after": (UNROLLED, "float[4, 2, 2] x", GRU,
                        "y = GRU<hidden_size = 1, linear_before_reset = 1>(x, w, r)"),
    "layer-norm-mean": (REDUCED, "float[2, 3, 4] x", "float[4] s = {1, 2, 3, 4}",
                        "h, m, d = LayerNormalization(x, s) k = Mul(h, m) y = Add(k, d)"),
    "and": (BitwiseToArithmetic(32), "int32[2, 3] x", "int32[3] z = {-8, 5, 1000000}", "y = BitwiseAnd(x, z)"),
    "or-of-bytes": (BitwiseToArithmetic(32), "uint8[2, 3] x", "uint8[3] z = {255, 6, 128}", "y = BitwiseOr(x, z)"),
    "xor-of-all-bits": (BitwiseToArithmetic(32), "int64[2, 3] x", "int64[3] z = {-2147483648, 2147483647, -1}",
                        "y = BitwiseXor(x, z)"),
    "xor-of-64-bits": (BitwiseToArithmetic(), "int64[2, 3] x",
                       "int64[3] z = {-9223372036854775808, 9223372036854775807, -6148914691236517206}",
                       "y = BitwiseXor(x, z)"),
    "not-of-bytes": (BitwiseToArithmetic(32), "uint8[2, 3] x", "", "y = BitwiseNot(x)"),
    "shift-left": (BitShiftToArithmetic(), "uint8[2, 3] x", "uint8[3] n = {1, 7, 9}",
                   "y = BitShift<direction = 'LEFT'>(x, n)"),
    "shift-right": (BitShiftToArithmetic(), "uint8[2, 3] x", "uint8[3] n = {1, 7, 9}",
                    "y = BitShift<direction = 'RIGHT'>(x, n)"),
    "computed-dilated-conv": (
        ComputedDilatedConvToConv(), "float[1, 4, 9, 8] x",
        "int64[1] f = {-1}, int64[1] o = {0}, int64[1] i = {48}, int64[4] s = {4, 2, 3, 2}",
        "a = Reshape(x, f) b = Slice(a, o, i) w = Reshape(b, s) "
        "y = Conv<dilations = [2, 3], group = 2, pads = [1, 0, 2, 1], strides = [2, 1]>(x, w)",
    ),
    "conv-transpose-computed": (
        ComputedTransposedConvToConv(), "float[1, 4, 5, 3] x",
        "int64[1] o = {0}, int64[1] i = {2}, int64[1] k = {3}, int64[4] s = {4, 1, 5, 2}",
        "p = Slice(x, o, i, k) w = Reshape(p, s) "
        "y = ConvTranspose<strides = [2, 2], pads = [1, 0, 0, 1], output_padding = [1, 1], dilations = [1, 2]>(x, w)",
    ),
    "concat-empty": (DropEmptyOperands(), "float[2, 3] x", "float[2, 0] e = {}", "y = Concat<axis = 1>(x, e)"),
}  # fmt: skip

STAYS = {
    "pad-zeros": (PadForms(), X, "int64[8] p = {0, 1, 2, 0, 0, 0, 3, 1}", "y = Pad(x, p)"),
    "pad-mirrors": (PadForms(), X, "int64[8] p = {0, 0, 2, 0, 0, 0, 3, 1}", "y = Pad<mode = 'reflect'>(x, p)"),
    "pool": (DilatedPoolToSlices(), X, "", "y = MaxPool<kernel_shape = [2, 2]>(x)"),
    "gru": (UNROLLED, "float[4, 2, 2] x", GRU, "y = GRU<hidden_size = 1>(x, w, r)"),
    "layer-norm": (REDUCED, "float[2, 2] x", "float[2] s = {1, 2}", "y = LayerNormalization(x, s)"),
    "concat": (DropEmptyOperands(), "float[2, 3] x", "", "y = Concat<axis = 1>(x, x)"),
}  # fmt: skip


OUTPUTS = {"pad-integers": "int32", "quantize": "uint8", "quantize-channels": "int8", "and": "int32",
           "or-of-bytes": "uint8", "xor-of-all-bits": "int64", "xor-of-64-bits": "int64", "not-of-bytes": "uint8",
           "shift-left": "uint8", "shift-right": "uint8"}  # fmt: skip
"""Output types other than float."""


def parse(inputs: str, constants: str, body: str, output: str = "float") -> ir.Model:
    head = f"<{constants}>" if constants else ""
    quoted = body.replace("'", '"')
    graph = onnx.parser.parse_graph(f"g ({inputs}) => ({output} y) {head} {{ {quoted} }}")
    graph.output[0].type.tensor_type.ClearField("shape")
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    return ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto, data_prop=True))


def feed(model: ir.Model) -> dict[str, np.ndarray]:
    (x,) = model.graph.inputs
    shape = tuple(int(d) for d in x.shape)
    rng = np.random.default_rng(11)
    drawn = rng.standard_normal(shape) * 2 if x.dtype.is_floating_point() else rng.integers(0, 100, shape)
    return {"x": drawn.astype(x.dtype.numpy())}


@pytest.mark.parametrize("name", FIRES)
def test_numbers_stay(name: str) -> None:
    rule: Rule
    rule, *text = FIRES[name]
    model = parse(*text, OUTPUTS.get(name, "float"))
    inputs = feed(model)
    before = evaluate(model, inputs)[0]
    remarks = RewritePass("test", [rule]).run(model)
    assert counted(remarks).get(rule.name, 0)
    after = evaluate(model, inputs)[0]
    assert after.dtype == before.dtype
    np.testing.assert_allclose(after, before, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", STAYS)
def test_what_mil_has_is_left_alone(name: str) -> None:
    rule, *text = STAYS[name]
    model = parse(*text)
    remarks = RewritePass("test", [rule]).run(model)
    assert not counted(remarks).get(rule.name, 0)


def test_negative_padding_crops() -> None:
    model = parse(X, "int64[8] p = {0, -1, 2, 0, 0, 0, -3, 1}", "y = Pad(x, p)")
    x = feed(model)["x"]
    RewritePass("test", [PadForms()]).run(model)
    expected = np.pad(x[:, 1:, :4], ((0, 0), (0, 0), (2, 0), (0, 1)))
    assert np.array_equal(evaluate(model, {"x": x})[0], expected)
