"""ONNX files with `auto_pad` SAME and open sizes: ONNX Runtime's numbers at every size."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import edgec
from edgec.runners.open import open_runner


@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER"])
def test_windows_of_open_images(pad: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((3, 3, 3, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], auto_pad=pad, strides=[2, 3]),
        helper.make_node("MaxPool", ["a"], ["b"], auto_pad=pad, kernel_shape=[3, 3], strides=[2, 1]),
        helper.make_node("AveragePool", ["b"], ["y"], auto_pad=pad, kernel_shape=[2, 3], strides=[2, 2]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, s) for name, s in (("x", [1, 3, "h", "v"]), ("y", None))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [numpy_helper.from_array(weight, "w")])
    path = tmp_path / "same.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    source = onnxruntime.InferenceSession(path)
    for target in ("android", "iphone"):
        built = edgec.build(path, target=target, out=tmp_path, dynamic=["x:2=h:8..40,3=v:8..40"])
        assert built.manifest.accuracy.status == "passed", built.failures
        with open_runner(built.folder / built.manifest.artifact.path) as runner:
            for h, v in ((8, 40), (9, 17), (23, 8), (31, 30), (40, 39)):
                x = {"x": rng.standard_normal((1, 3, h, v)).astype(np.float32)}
                (expected,) = source.run(None, x)
                (found,) = runner.run(x).values()
                assert found.shape == expected.shape
                assert np.abs(found - expected).max() <= (1e-2 if target == "iphone" else 1e-5) * np.abs(expected).max()
