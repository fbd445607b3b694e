"""Unique as comparisons, compared with numpy: all outputs, with equal elements, rows, and both orders."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.ir.model import OPSET, all_nodes
from edgec.passes.canonicalize import canonicalize
from edgec.runners.onnxruntime import OnnxRuntimeRunner

OUTPUTS = ("y", "indices", "inverse", "counts")


def model(shape: tuple[int, ...], dtype: int, **attributes: int) -> ir.Model:
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Unique", ["x"], OUTPUTS, **attributes)],
        "g",
        [value("x", dtype, shape)],
        [value("y", dtype, None), *(value(name, onnx.TensorProto.INT64, None) for name in OUTPUTS[1:])],
    )
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    return ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))


@pytest.mark.parametrize("is_sorted", [0, 1])
@pytest.mark.parametrize(("shape", "axis"), [((12,), None), ((3, 4), None), ((9, 2), 0), ((2, 9), -1), ((2, 6, 2), 1)])
@pytest.mark.parametrize("dtype", [onnx.TensorProto.FLOAT, onnx.TensorProto.INT64])
def test_every_output(dtype: int, shape: tuple[int, ...], axis: int | None, is_sorted: int) -> None:
    attributes = {"sorted": is_sorted} | ({} if axis is None else {"axis": axis})
    taken = canonicalize(model(shape, dtype, **attributes)).model
    assert "Unique" not in {node.op_type for node in all_nodes(taken)}
    rng = np.random.default_rng(4)
    with OnnxRuntimeRunner(taken) as ours, OnnxRuntimeRunner(model(shape, dtype, **attributes)) as theirs:
        for most in (2, 3, 1):
            x = rng.integers(0, most, shape).astype(onnx.helper.tensor_dtype_to_np_dtype(dtype))
            found, expected = ours.run({"x": x}), theirs.run({"x": x})
            for name in OUTPUTS:
                np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
