"""Quantizers that TensorRT's parser refuses: replaced by float32 arithmetic, or left alone."""

import numpy as np
import onnx_ir as ir
import pytest

from edgec.backends.tensorrt.quantizers import QuantizeInFloat
from edgec.ir.infer import infer_types
from edgec.ir.model import all_graphs
from edgec.passes.constants import FoldConstants
from edgec.passes.remarks import counted
from edgec.passes.verify import evaluate
from edgec.rules.decompose.quantize import NARROW

X = np.random.default_rng(3).standard_normal((1, 2, 4, 4)).astype(np.float32) * 3


def parse(body: str, constants: str, result: str = "float[1,2,m,n] y") -> ir.Model:
    head = '<ir_version: 10, opset_import: ["" : 23]> g (float[1,2,4,4] x) => '
    model = ir.from_onnx_text(f"{head}({result}) <{constants}> {{ {body} }}")
    for node in model.graph:
        infer_types(node)
    return model


TAKEN_APART = {
    "zero point": ("q = QuantizeLinear(x, s, p)  y = DequantizeLinear(q, s, p)", "float s = {0.05}, uint8 p = {130}"),
    "16 bits": ("q = QuantizeLinear(x, s, p)  y = DequantizeLinear(q, s, p)", "float s = {0.001}, int16 p = {0}"),
    "by channel": (
        "q = QuantizeLinear<axis = 1>(x, s, p)  y = DequantizeLinear<axis = 1>(q, s, p)",
        "float[2] s = {0.05, 0.2}, int8[2] p = {3, -7}",
    ),
    "moved": (
        "q = QuantizeLinear(x, s, p)  m = MaxPool<kernel_shape = [2, 2]>(q)  c = Concat<axis = 3>(m, k)  "
        "y = DequantizeLinear(c, s, p)",
        "float s = {0.05}, uint8 p = {130}, uint8[1,2,3,1] k = {1, 2, 3, 4, 5, 6}",
    ),
    "read": (
        "q = QuantizeLinear(x, s, p)  f = Cast<to = 1>(q)  g = Round(f)  h = Clip(g, l, u)  z = Cast<to = 2>(h)  "
        "y = DequantizeLinear(z, s, p)",
        "float s = {0.05}, uint8 p = {130}, float l = {10}, float u = {200}",
    ),
}


@pytest.mark.parametrize("case", TAKEN_APART)
def test_in_float(case: str) -> None:
    body, constants = TAKEN_APART[case]
    model = parse(body, constants)
    (expected,) = evaluate(model.clone(), {"x": X})
    remarks = QuantizeInFloat().run(model)
    assert counted(remarks).get("quantizers-in-float", 0) > 1
    FoldConstants().run(model)
    values = [v for graph in all_graphs(model) for node in graph for v in node.outputs]
    assert not [v.name for v in values if v.dtype in NARROW]
    (found,) = evaluate(model, {"x": X})
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("body", "constants", "result"),
    [
        ("q = QuantizeLinear(x, s, p)  y = DequantizeLinear(q, s, p)", "float s = {0.05}, int8 p = {0}", ""),
        ("y = QuantizeLinear(x, s, p)", "float s = {0.05}, uint8 p = {130}", "uint8[1,2,4,4] y"),
        (
            "q = QuantizeLinear(x, s, p)  a = Add(q, q)  y = DequantizeLinear(a, s, p)",
            "float s = {0.05}, uint8 p = {130}",
            "",
        ),
        ("q = Cast<to = 2>(x)  y = DequantizeLinear(q, s, p)", "float s = {0.05}, uint8 p = {130}", ""),
    ],
    ids=["TensorRT's own", "at the interface", "wraps around", "truncates"],
)
def test_left_alone(body: str, constants: str, result: str) -> None:
    model = parse(body, constants, result or "float[1,2,4,4] y")
    before = [node.op_type for node in model.graph]
    QuantizeInFloat().run(model)
    assert [node.op_type for node in model.graph] == before
