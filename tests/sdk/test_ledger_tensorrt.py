"""The ledger of ONNX files for TensorRT: each violation that is planted is found."""

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
