"""Predicted partitions are those that LiteRT's XNNPACK delegate makes."""

from pathlib import Path

import onnx
import onnx_ir as ir
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgec.backends.base import Program
from edgec.backends.tflite.backend import TFLITE
from edgec.backends.tflite.placement import DELEGATES, partitions
from edgec.ir.model import OPSET
from edgec.passes.canonicalize import canonicalize
from edgec.passes.log import RewriteLog
from edgec.spec.target import load_target

TARGET = load_target("raspberry-pi")
GRAPHS = {
    "whole": "g (float[1,8] x) => (float[1,8] y) { a = Relu(x) b = Tanh(a) y = Add(a, b) }",
    "broken": """g (float[1,8] x) => (float[1,8] y, bool[1,8] z)
        { a = Relu(x) b = Tanh(a) z = Greater(a, b) c = Exp(b) d = Where(z, c, b) y = Sigmoid(d) }""",
    "side by side": """g (float[1,8] x, float[1,8] w) => (float[1,8] y)
        { a = Exp(x) b = Sign(w) c = Exp(b) d = Tanh(a) y = Add(c, d) }""",
    "integers": "g (int32[1,8] x) => (int32[1,8] y) { a = Add(x, x) y = Mul(a, x) }",
}


def _program(text: str) -> Program:
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {OPSET}]> {text}')
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))
    return TFLITE.lower(TFLITE.legalize(canonicalize(model, RewriteLog()), TARGET, RewriteLog()), TARGET)


@pytest.mark.parametrize("name", GRAPHS)
def test_partitions(tmp_path: Path, name: str) -> None:
    program, path = _program(GRAPHS[name]), tmp_path / "m.tflite"
    TFLITE.assemble(program, TARGET, path)
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    made = sum(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
    assert partitions(program, DELEGATES[0]) == made


def test_what_breaks_is_named() -> None:
    found = TFLITE.placement(_program(GRAPHS["broken"]), TARGET)
    assert {p.rule for p in found.placed if p.rule} == {"xnnpack-no-greater", "xnnpack-no-select-v2"}
    assert found.counts == {"cpu": 2, "xnnpack": 4}
    assert any("nnapi" in name and "broken by SELECT_V2" in name for name, _ in found.evidence)
