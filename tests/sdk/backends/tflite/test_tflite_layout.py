"""Channels-last interfaces: no transposes, and the same results."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.backends.tflite.backend import TFLITE
from edgec.backends.tflite.layout import LayoutMoves
from edgec.backends.tflite.options import TFLiteOptions
from edgec.ir.model import OPSET
from edgec.passes.canonicalize import canonicalize
from edgec.passes.remarks import only
from edgec.passes.verify import evaluate
from edgec.spec.target import load_target

TEXT = """
<ir_version: 10, opset_import: ["" : 23]>
g (float[1,3,8,10] x, float[1,5] z) => (float[1,4,8,10] y, float[1,4] mean, float[1,3,8,10] raw)
{
  c = Conv<pads = [1,1,1,1]>(x, w)
  y = Relu(c)
  axes = Constant<value_ints = [2, 3]>()
  mean = ReduceMean<keepdims = 0>(y, axes)
  raw = Neg(x)
}
"""


def _model() -> ir.Model:
    proto = onnx.parser.parse_model(TEXT.replace("23", str(OPSET)))
    weight = np.random.default_rng(1).standard_normal((4, 3, 3, 3)).astype(np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    return ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))


@pytest.mark.parametrize("layout", ["source", "nhwc"])
def test_interface_layout(tmp_path: Path, layout: str) -> None:
    target = replace(load_target("raspberry-pi"), options=TFLiteOptions(io_layout=layout))
    model = _model()
    rng = np.random.default_rng(2)
    feeds = {"x": rng.standard_normal((1, 3, 8, 10)).astype(np.float32), "z": np.zeros((1, 5), np.float32)}
    expected = evaluate(model, feeds)
    canonicalize(model)
    legal = TFLITE.legalize(model, target)
    program = TFLITE.lower(legal.model, target)
    last = layout == "nhwc"
    moved = 0 if last else (3 + 4) * 8 * 10 * 4  # x on the way in, y on the way out
    assert only(LayoutMoves, legal.remarks) == [LayoutMoves(0 if last else 2, moved, moved)]
    assert program.inputs[0].type.shape == ((1, 8, 10, 3) if last else (1, 3, 8, 10))
    assert [name for name, _ in program.outputs] == ["y", "mean", "raw"]
    assert program.outputs[0][1].type.shape == ((1, 8, 10, 4) if last else (1, 4, 8, 10))
    assert sum(i.op == "TRANSPOSE" for i in program.instrs) == (0 if last else 2)
    path = tmp_path / "m.tflite"
    TFLITE.assemble(program, target, path)
    with TFLITE.open(path, target) as runner:
        got = runner.run(feeds)
    for name, want in zip(("y", "mean", "raw"), expected, strict=True):
        np.testing.assert_allclose(got[name], want, rtol=1e-5, atol=1e-5)


COMPUTED = """
<ir_version: 10, opset_import: ["" : 23]>
g (float[6,2,3,3] w, float[4,3,2,2] v, float[5,4,3] u, float[2,4,1,2,2] t)
  => (float[1,6,5,5] a, float[1,3,6,6] b, float[1,5,5] c, float[1,2,1,4,4] d)
{
  a = Conv<pads = [1,1,1,1], group = 2>(k, w)
  b = ConvTranspose(k, v)
  c = Conv(line, u)
  d = Conv(volume, t)
}
"""
"""Convolutions of constants with weights that are inputs or computed."""


def test_constants_under_computed_weights_are_turned(tmp_path: Path) -> None:
    proto = onnx.parser.parse_model(COMPUTED.replace("23", str(OPSET)))
    rng = np.random.default_rng(1)
    for name, shape in {"k": (1, 4, 5, 5), "line": (1, 4, 7), "volume": (1, 4, 1, 5, 5)}.items():
        constant = rng.standard_normal(shape).astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(constant, name))
    model, target = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto)), load_target("raspberry-pi")
    feeds = {
        v.name or "": rng.standard_normal(v.shape.numpy()).astype(np.float32) for v in model.graph.inputs if v.shape
    }
    expected = evaluate(model, feeds)
    canonicalize(model)
    path = tmp_path / "m.tflite"
    TFLITE.assemble(TFLITE.lower(TFLITE.legalize(model, target).model, target), target, path)
    with TFLITE.open(path, target) as runner:
        got = runner.run(feeds)
    for name, want in zip("abcd", expected, strict=True):
        np.testing.assert_allclose(got[name], want, rtol=1e-5, atol=1e-5)
