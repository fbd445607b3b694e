"""GridSample as gathers: every mode, padding and rank compared with ONNX Runtime.

Near a border, onnx's own reference moves the position of a cubic sample instead of its pixels; ONNX Runtime and PyTorch
agree.
"""

import itertools

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.ir.model import OPSET
from edgec.passes.rewrite import RewritePass
from edgec.passes.verify import evaluate
from edgec.rules.decompose.grid_sample import GridSampleToGather
from edgec.runners.onnxruntime import OnnxRuntimeRunner

MODES = ("nearest", "linear", "cubic")
PADDINGS = ("zeros", "border", "reflection")
SHAPES = ((1, (4, 5)), (2, (4, 5)), (2, (3, 4, 5)))


@pytest.mark.parametrize(
    ("mode", "padding", "align", "batch", "sizes"),
    [
        (m, p, a, *s)
        for m, p, a, s in itertools.product(MODES, PADDINGS, (0, 1), SHAPES)
        if m != "cubic" or len(s[1]) == 2
    ],
)
def test_grid_sample(mode: str, padding: str, align: int, batch: int, sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, 3, *sizes)).astype(np.float32)
    grid = rng.uniform(-1.9, 1.9, (batch, *(2,) * (len(sizes) - 1), 6, len(sizes))).astype(np.float32)
    node = onnx.helper.make_node("GridSample", ["x", "g"], ["y"], mode=mode, padding_mode=padding, align_corners=align)
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [onnx.helper.make_tensor_value_info(n, 1, v.shape) for n, v in (("x", x), ("g", grid))],
        [onnx.helper.make_empty_tensor_value_info("y")],
    )
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))
    with OnnxRuntimeRunner(model, optimize=False) as runner:
        (expected,) = runner.run({"x": x, "g": grid}).values()
    RewritePass("test", [GridSampleToGather()]).run(model)
    assert all(node.op_type != "GridSample" for node in model.graph)
    (found,) = evaluate(model, {"x": x, "g": grid})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
