"""Predicted partitions are those that LiteRT's XNNPACK delegate creates."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgec.backends.base import Program
from edgec.backends.tflite.backend import TFLITE
from edgec.backends.tflite.placement import partitions
from edgec.ir.model import OPSET
from edgec.ledger.tflite.delegates import DELEGATES
from edgec.ledger.tflite.file import read_file
from edgec.ledger.tflite.uses import uses
from edgec.passes.canonicalize import canonicalize
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
    return TFLITE.lower(TFLITE.legalize(canonicalize(model).model, TARGET).model, TARGET)


@pytest.mark.parametrize("name", GRAPHS)
def test_partitions(tmp_path: Path, name: str) -> None:
    program, path = _program(GRAPHS[name]), tmp_path / "m.tflite"
    TFLITE.assemble(program, TARGET, path)
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    made = sum(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
    assert partitions(program, DELEGATES[0]) == made


def test_weights_stored_as_float16_are_read_by_the_delegate(tmp_path: Path) -> None:
    target, path = load_target("android-fp16"), tmp_path / "m.tflite"
    rng = np.random.default_rng(0)
    graph = "g (float[1,3,8,8] x) => (float[1,16,6,6] y) { y = Conv(x, w) }"
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {OPSET}]> {graph}')
    proto.graph.initializer.append(onnx.numpy_helper.from_array(rng.standard_normal((16, 3, 3, 3), np.float32), "w"))
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))
    program = TFLITE.lower(TFLITE.legalize(canonicalize(model).model, target).model, target)
    TFLITE.assemble(program, target, path)
    operators = uses(read_file(path))
    assert {delegate.rule(use) for _, use in operators for delegate in DELEGATES[:2]} == {""}
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    assert partitions(program, DELEGATES[0]) == sum(o["op_name"] == "DELEGATE" for o in interpreter._get_ops_details())


def test_what_breaks_is_named() -> None:
    found = TFLITE.placement(_program(GRAPHS["broken"]), TARGET)
    assert {p.rule for p in found.placed if p.rule} == {"xnnpack-no-greater", "xnnpack-no-select-v2"}
    assert found.counts == {"cpu": 2, "xnnpack": 4}
    assert any("nnapi" in name and "broken by SELECT_V2" in name for name, _ in found.evidence)


def _evidence(text: str) -> dict[str, str]:
    """The statement about each delegate."""
    found = TFLITE.placement(_program(text), TARGET).evidence
    return dict(name.split(": ", 1) for name, _ in found if ": " in name)


def test_the_other_delegates_are_told() -> None:
    told = _evidence(GRAPHS["broken"])
    assert told["gpu"] == "6 of 6 operators in 1 partitions"
    assert told["qnn"] == "6 of 6 operators in 1 partitions"
    assert told["nnapi"].endswith("broken by SELECT_V2")


@pytest.mark.parametrize(
    ("text", "unit", "breaks"),
    [
        ("g (float[2,3,4,5,6] x) => (float[2,3,4,5,6] y) { y = Exp(x) }", "gpu", "EXP"),
        ("g (float[2,3,4,5,6] x) => (float[2,3,4,5,6] y) { y = Exp(x) }", "nnapi", "EXP"),
        ("g (int32[1,8] x) => (int32[1,8] y) { y = Add(x, x) }", "gpu", "ADD"),
        ("g (float[4,8] x) => (float[4,3] y) { a = Constant<value_ints = [1]>() b = Constant<value_ints = [4]>() "
         "y = Slice(x, a, b, a) }", "gpu", "SLICE"),
        ("g (float[1,8] x) => (float[1,8] y) { y = CumSum(x, one) }", "nnapi", "CUMSUM"),
        ("g (int64[1,8] x) => (int64[1,8] y) { y = Add(x, x) }", "nnapi", "ADD"),
    ],
)  # fmt: skip
def test_what_keeps_an_operator_off(text: str, unit: str, breaks: str) -> None:
    text = text.replace("{ y = CumSum", "{ one = Constant<value_int = 1>() y = CumSum")
    assert f"broken by {breaks}" in _evidence(text)[unit]


def test_sizes_that_the_data_decide_keep_a_graph_off() -> None:
    told = _evidence("g (float[8] x) => (int64[1,k] y, float[8] z) { y = NonZero(x)  z = Exp(x) }")
    assert told["xnnpack"].startswith("1 of 3 operators")
    assert all(told[unit] == "0 of 3 operators: sizes depend on data (WHERE)" for unit in ("gpu", "nnapi", "qnn"))
