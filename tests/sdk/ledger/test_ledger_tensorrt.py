"""The ledger of ONNX files for TensorRT: each planted violation is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from edgec.cli.app import app
from edgec.diag import EdgecError
from edgec.ledger.lint import lint
from edgec.ledger.tensorrt.ledger import ROWS, UNKNOWN

TEXT = """
<ir_version: 10, opset_import: ["" : 23]>
g (float[1,3,8,8] x) => (float[1,3,4,4] y, float[1,5] v)
<float scale = {0.5}, int8 zero = {0}, int64[1] k = {5}, int64[2] flat = {1, -1}>
{
  q = QuantizeLinear(x, scale, zero)
  d = DequantizeLinear(q, scale, zero)
  y = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(d)
  r = Reshape(y, flat)
  v, places = TopK(r, k)
}
"""


def model() -> Any:
    return onnx.shape_inference.infer_shapes(onnx.parser.parse_model(TEXT))


def node(m: Any, kind: str) -> Any:
    return next(n for n in m.graph.node if n.op_type == kind)


def add(m: Any, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
    m.graph.node.append(helper.make_node(kind, inputs, outputs, **attributes))


def constant(m: Any, name: str, array: Any) -> None:
    (old,) = (t for t in m.graph.initializer if t.name == name)
    old.CopyFrom(numpy_helper.from_array(np.asarray(array), name))


def outside(m: Any) -> None:
    tensor = m.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../weights.bin")


def high(m: Any) -> None:
    m.graph.value_info.append(helper.make_tensor_value_info("high", TensorProto.FLOAT, [1] * 9))


def backwards(m: Any) -> None:
    nodes = [type(n).FromString(n.SerializeToString()) for n in reversed(m.graph.node)]
    del m.graph.node[:]
    m.graph.node.extend(nodes)


def one(text: str) -> Callable[[Any], None]:
    """Replace the graph by one operator."""

    def planted(m: Any) -> None:
        parsed = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 23]> {text}')
        m.CopyFrom(onnx.shape_inference.infer_shapes(parsed))

    return planted


def pool(words: str) -> Callable[[Any], None]:
    return one(f"g (float[1,1,8,8] x) => (float[a,b,c,d] y) {{ y = {words}(x) }}")


def resized(words: str, kind: str = "float") -> Callable[[Any], None]:
    scales = "<float[4] s = {1, 1, 0.5, 0.5}>"
    return one(f"g ({kind}[1,1,4,4] x) => ({kind}[a,b,c,d] y) {scales} {{ y = Resize<{words}>(x, , s) }}")


def recurrent(kind: str, gates: int, words: str, sides: int = 1) -> Callable[[Any], None]:
    weights = f"<float[{sides},{2 * gates},4] w, float[{sides},{2 * gates},2] r>"
    spoil = one(f"g (float[3,2,4] x) => (float[a,b,c,d] y) {weights} {{ y = {kind}<hidden_size=2, {words}>(x, w, r) }}")

    def planted(m: Any) -> None:
        spoil(m)
        for tensor in m.graph.initializer:
            tensor.CopyFrom(numpy_helper.from_array(np.full(list(tensor.dims), 0.1, np.float32), tensor.name))

    return planted


OPERATORS: dict[str, Callable[[Any], None]] = {
    "conv-dimensions": one(
        "g (float[1,1,2,2,2,2] x) => (float[a,b,c,d,e,f] y) <float[1,1,1,1,1,1] w = {1}> { y = Conv(x, w) }"
    ),
    "pool-dimensions": one(
        "g (float[1,1,4,4,4,4] x) => (float[a,b,c,d,e,f] y) { y = MaxPool<kernel_shape = [2, 2, 2, 2]>(x) }"
    ),
    "pool-dilations": pool("MaxPool<kernel_shape = [2, 2], dilations = [2, 2]>"),
    "pool-norm": pool("LpPool<kernel_shape = [2, 2], p = 3>"),
    "resize-coordinates": resized('mode = "linear", coordinate_transformation_mode = "half_pixel_symmetric"'),
    "resize-form": resized('mode = "linear", antialias = 1'),
    "resize-type": resized('mode = "nearest"', "int32"),
    "axes-constant": one("g (float[4,4] x, int64[1] axes) => (float[a,b] y) { y = ReduceSum(x, axes) }"),
    "training-mode": one("g (float[4] x) => (float[4] y) <float r = {0.5}, bool t = {1}> { y = Dropout(x, r, t) }"),
    "one-result": one(
        "g (float[4,8] x, float[8] s) => (float[4,8] y, float[4,1] m) { y, m = LayerNormalization(x, s) }"
    ),
    "attention-form": one("g (float[1,2,4,8] q) => (float[a,b,c,d] y) { y = Attention<softcap = 2.0>(q, q, q) }"),
    "lstm-coupled": recurrent("LSTM", 4, "input_forget = 1"),
    "same-activations": recurrent(
        "GRU", 3, 'direction = "bidirectional", activations = ["Sigmoid", "Tanh", "Sigmoid", "Relu"]', 2
    ),
    "product-type": one("g (int32[4,4] x) => (int32[4,4] y) { y = MatMul(x, x) }"),
    "reduce-type": one("g (bool[4,4] x) => (bool[a,b] y) { y = ReduceMax(x) }"),
    "byte-arithmetic": one("g (uint8[4] x) => (uint8[4] y) { y = Add(x, x) }"),
    "range-constant": one("g (float s, float l, float d) => (float[a] y) { y = Range(s, l, d) }"),
    "quantize-scale": one(
        "g (float[4] x) => (float[4] y) <float s = {-0.1}, int8 z = {0}> "
        "{ q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }"
    ),
    "onnx-plugin": one("g (float[4,4] x) => (int64[a,b] y) { y = NonZero(x) }"),
    "cast-type": one("g (float[4] x) => (int16[4] y) { y = Cast<to = 5>(x) }"),
}
"""Operators that the parser itself refuses."""

PLANTS: dict[str, Callable[[Any], Any]] = {
    "onnx-opset": lambda m: setattr(m.opset_import[0], "version", 8),
    "onnx-operator": lambda m: add(m, "Det", ["x"], ["det"]),
    "onnx-domain": lambda m: add(m, "Fused", ["x"], ["fused"], domain="com.example"),
    "onnx-type": lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.UINT16),
    "onnx-double": lambda m: constant(m, "scale", np.float64(0.5)),
    "onnx-rank": high,
    "onnx-order": backwards,
    "onnx-once": lambda m: add(m, "Relu", ["d"], ["y"]),
    "onnx-outside": outside,
    "scatter-reduction": lambda m: add(m, "ScatterND", ["x", "k", "v"], ["s"], reduction="add"),
    "quantize-zero-point": lambda m: constant(m, "zero", np.int8(3)),
    "topk-k": lambda m: constant(m, "k", np.array([5000])),
    "pool-places": lambda m: node(m, "MaxPool").output.append("where"),
    **OPERATORS,
}


@pytest.mark.parametrize("label", [row.label for row in ROWS])
def test_a_planted_violation_is_found(label: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(model(), path)
    assert not lint(path)
    spoilt = model()
    PLANTS[label](spoilt)
    onnx.save(spoilt, path)
    assert label in {found.label for found in lint(path)}


@pytest.mark.parametrize("label", OPERATORS)
def test_the_parser_refuses_what_is_planted(label: str) -> None:
    spoilt = model()
    assert parsed(spoilt)
    OPERATORS[label](spoilt)
    assert not parsed(spoilt)


def parsed(m: Any) -> bool:
    trt = pytest.importorskip("tensorrt_rtx_bindings")
    logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
    network = trt.Builder(logger).create_network(0)
    return bool(trt.OnnxParser(network, logger).parse(m.SerializeToString()))


def test_every_row_is_planted() -> None:
    assert PLANTS.keys() == {row.label for row in ROWS}


def test_an_engine_is_judged_by_the_onnx_beside_it(tmp_path: Path) -> None:
    engine = tmp_path / "m.engine"
    engine.write_bytes(b"engine")
    with pytest.raises(EdgecError, match="opaque without the ONNX"):
        lint(engine)
    spoilt = model()
    PLANTS["onnx-operator"](spoilt)
    onnx.save(spoilt, tmp_path / "m.onnx")
    assert [found.label for found in lint(engine)] == ["onnx-operator"]


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\xff" * 64)
    done = CliRunner().invoke(app, ["lint", str(path)])
    assert done.exit_code == 2
    assert "E0604" in done.stderr


def test_the_operators_are_those_that_the_parser_does_not_know() -> None:
    trt = pytest.importorskip("tensorrt_rtx_bindings")
    logger = trt.Logger(trt.Logger.ERROR)
    parser = trt.OnnxParser(trt.Builder(logger).create_network(0), logger)
    names = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    assert {name for name in names if not parser.supports_operator(name)} == UNKNOWN
